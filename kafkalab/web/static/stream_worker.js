// The stream that all tabs share.

import { Hub } from "./stream_hub.js";

const hub = new Hub();

self.onconnect = ({ ports: [port] }) => hub.join(port);
