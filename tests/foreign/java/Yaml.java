import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.dataformat.yaml.YAMLFactory;
import java.io.File;

/** Yaml FILE: prints the YAML document as JSON. */
public final class Yaml {
  public static void main(String[] arguments) throws Exception {
    Object document = new ObjectMapper(new YAMLFactory()).readValue(new File(arguments[0]), Object.class);
    System.out.write(new ObjectMapper().writeValueAsBytes(document));
    System.out.flush();
  }
}
