// Calls of the REST API, and its problems.

/** An answer other than success: problem+json (RFC 9457) as an error. */
export class Problem extends Error {
  constructor(status, told) {
    super(told.detail || told.title || `The server answered with ${status}.`);
    this.status = status;
    this.title = told.title ?? "";
    this.code = told.code ?? "";
    this.fact = told.fact ?? null;
  }
}

let askForToken = () => Promise.reject(new Error("This server demands a token."));

/** Set the function that asks for the token; its promise resolves when the session is open. */
export function onTokenDemanded(ask) {
  askForToken = ask;
}

/** Call the API; return the answer's JSON, or null if it has none.
 *
 *  Throws Problem if the server refuses, and Error if it does not answer. */
export async function call(method, path, body) {
  const answer = await send(method, path, body);
  if (answer.status !== 401) return told(answer);
  await askForToken();
  return told(await send(method, path, body));
}

/** Open a session with a token. */
export async function openSession(token) {
  return told(await send("POST", "/api/session", { token }));
}

export const topicPath = (topic) => `/api/kafka/topics/${encodeURIComponent(topic)}`;
export const groupPath = (group) => `/api/kafka/groups/${encodeURIComponent(group)}`;

async function send(method, path, body) {
  const request = { method, headers: { Accept: "application/json" } };
  if (body !== undefined) {
    request.headers["Content-Type"] = "application/json";
    request.body = JSON.stringify(body);
  }
  try {
    return await fetch(path, request);
  } catch {
    throw new Error("kafkalab serve does not answer. Is it still running?");
  }
}

async function told(answer) {
  const text = await answer.text();
  let json = null;
  try {
    json = text ? JSON.parse(text) : null;
  } catch {
    throw new Problem(answer.status, { detail: "The server's answer cannot be read." });
  }
  if (!answer.ok) throw new Problem(answer.status, json ?? {});
  return json;
}
