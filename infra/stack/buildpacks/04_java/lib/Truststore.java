import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;

/** Turns a PEM bundle of CA certificates into a trust store: java Truststore.java BUNDLE STORE. */
class Truststore {
    public static void main(String[] arguments) throws Exception {
        var store = KeyStore.getInstance("PKCS12");
        store.load(null, null);
        try (var bundle = new FileInputStream(arguments[0])) {
            int count = 0;
            for (var certificate : CertificateFactory.getInstance("X.509").generateCertificates(bundle)) {
                store.setCertificateEntry("ca-" + count++, certificate);
            }
        }
        try (var output = new FileOutputStream(arguments[1])) {
            store.store(output, "changeit".toCharArray());
        }
    }
}
