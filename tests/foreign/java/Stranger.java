import java.io.BufferedReader;
import java.io.FileInputStream;
import java.io.InputStreamReader;
import java.time.Duration;
import java.util.Base64;
import java.util.List;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * A client of an institution that knows Kafka and nothing of Ruta.
 *
 * <p>Stranger send PROPERTIES TOPIC [name=value ...]: records from standard input, one per line: key, value, then name
 * and value of each header, separated by spaces, all in base64, "-" for null. Prints "partition offset" for each.
 *
 * <p>Stranger read PROPERTIES TOPIC CAUSE: prints the records from the beginning in the same form, until one whose
 * ce_causationid is CAUSE.
 *
 * <p>Stranger transaction PROPERTIES TOPIC: begins a transaction. An error is its class name on standard error, exit 1.
 */
public final class Stranger {
  public static void main(String[] arguments) throws Exception {
    Properties settings = new Properties();
    try (FileInputStream file = new FileInputStream(arguments[1])) {
      settings.load(file);
    }
    settings.put("key.serializer", ByteArraySerializer.class.getName());
    settings.put("value.serializer", ByteArraySerializer.class.getName());
    settings.put("key.deserializer", ByteArrayDeserializer.class.getName());
    settings.put("value.deserializer", ByteArrayDeserializer.class.getName());
    try {
      switch (arguments[0]) {
        case "send":
          for (int i = 3; i < arguments.length; i++) {
            String[] pair = arguments[i].split("=", 2);
            settings.put(pair[0], pair[1]);
          }
          send(settings, arguments[2]);
          break;
        case "read":
          read(settings, arguments[2], arguments[3]);
          break;
        default:
          settings.put("transactional.id", "stranger");
          try (KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(settings)) {
            producer.initTransactions();
          }
      }
    } catch (Exception error) {
      Throwable reason = error instanceof java.util.concurrent.ExecutionException ? error.getCause() : error;
      System.err.println(reason.getClass().getSimpleName());
      System.exit(1);
    }
  }

  private static void send(Properties settings, String topic) throws Exception {
    BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
    try (KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(settings)) {
      for (String line = input.readLine(); line != null; line = input.readLine()) {
        String[] parts = line.split(" ");
        ProducerRecord<byte[], byte[]> record = new ProducerRecord<>(topic, bytes(parts[0]), bytes(parts[1]));
        for (int i = 2; i < parts.length; i += 2) {
          record.headers().add(new String(bytes(parts[i]), "UTF-8"), bytes(parts[i + 1]));
        }
        var sent = producer.send(record).get();
        System.out.println(sent.partition() + " " + sent.offset());
      }
    }
  }

  private static void read(Properties settings, String topic, String cause) throws Exception {
    try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(settings)) {
      TopicPartition place = new TopicPartition(topic, 0);
      consumer.assign(List.of(place));
      consumer.seekToBeginning(List.of(place));
      while (true) {
        for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofSeconds(1))) {
          StringBuilder line = new StringBuilder(text(record.key())).append(' ').append(text(record.value()));
          boolean found = false;
          for (Header header : record.headers()) {
            line.append(' ').append(text(header.key().getBytes("UTF-8"))).append(' ').append(text(header.value()));
            found |= header.key().equals("ce_causationid") && cause.equals(new String(header.value(), "UTF-8"));
          }
          System.out.println(line);
          if (found) {
            return;
          }
        }
      }
    }
  }

  private static byte[] bytes(String text) {
    return text.equals("-") ? null : Base64.getDecoder().decode(text);
  }

  private static String text(byte[] content) {
    return content == null ? "-" : Base64.getEncoder().encodeToString(content);
  }
}
