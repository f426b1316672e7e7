import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.common.config.types.Password;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.security.JaasContext;

/**
 * What Java makes of files, for test_as_java.py. The argument says of what: `jaas` or `properties`;
 * with `errors` the files do not matter, and each answer has all error codes.
 * Standard input has a path a line; each is answered by a line: names and values, or an error.
 */
public class JavaAnswers {
    public static void main(String[] arguments) throws Exception {
        BufferedReader paths =
            new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String path = paths.readLine(); path != null; path = paths.readLine()) {
            System.out.println(answer(arguments[0], Path.of(path)));
        }
    }

    private static String answer(String kind, Path path) {
        try {
            return json(switch (kind) {
                case "jaas" -> jaas(path);
                case "errors" -> errors();
                default -> properties(path);
            });
        } catch (Throwable error) {
            return "null";
        }
    }

    private static Map<String, String> errors() {
        Map<String, String> found = new TreeMap<>();
        for (Errors error : Errors.values()) {
            Throwable raised = error.exception();
            String name = raised == null ? "" : raised.getClass().getSimpleName();
            found.put(String.valueOf(error.code()), error.name() + " " + name);
        }
        return found;
    }

    private static Map<String, String> jaas(Path path) throws Exception {
        Password text = new Password(Files.readString(path));
        var entry = JaasContext.loadClientContext(Map.of("sasl.jaas.config", text))
            .configurationEntries().get(0);
        Map<String, String> found = new TreeMap<>();
        entry.getOptions().forEach((name, value) -> found.put("option " + name, (String) value));
        found.put("module", entry.getLoginModuleName());
        return found;
    }

    private static Map<String, String> properties(Path path) throws Exception {
        Properties read = new Properties();
        try (var file = Files.newInputStream(path)) {
            read.load(file);
        }
        Map<String, String> found = new TreeMap<>();
        read.stringPropertyNames().forEach(name -> found.put(name, read.getProperty(name)));
        read.setProperty("bootstrap.servers", "127.0.0.1:1");
        try (Admin admin = Admin.create(read)) {
            found.put("admin", "created");
        } catch (Throwable error) {
            found.put("admin", "refused");
        }
        return found;
    }

    private static String json(Map<String, String> found) {
        StringBuilder text = new StringBuilder("{");
        found.forEach((name, value) -> {
            text.append(text.length() > 1 ? "," : "").append(quoted(name)).append(":");
            text.append(quoted(value));
        });
        return text.append("}").toString();
    }

    private static String quoted(String value) {
        StringBuilder text = new StringBuilder("\"");
        value.chars().forEach(sign -> text.append(String.format("\\u%04x", sign)));
        return text.append("\"").toString();
    }
}
