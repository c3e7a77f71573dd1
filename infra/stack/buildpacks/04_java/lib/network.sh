# Java takes neither proxies nor CA bundles from the usual variables: this hands them to Maven.
# shellcheck shell=bash

# Whether Maven Central, or the mirror that the app's settings name instead, may be there.
central_answers() {
    [[ -n ${MAVEN_SETTINGS_PATH:-} || -f settings.xml || -d .mvn ]] ||
        curl --silent --head --fail --connect-timeout 5 --max-time 10 --output /dev/null https://repo.maven.apache.org/maven2/
}

# Adds the proxy and the operator's CA bundle to MAVEN_OPTS.
set_network_options() {
    MAVEN_OPTS=${MAVEN_OPTS:-}
    local scheme proxy host port bundle=${SSL_CERT_FILE:-} truststore
    for scheme in http https; do
        proxy=${scheme}_proxy
        proxy=${!proxy:-}
        [[ $proxy =~ ^https?://([^/@]*@)?([^:/]+)(:([0-9]+))? ]] || continue
        host=${BASH_REMATCH[2]} port=${BASH_REMATCH[4]:-80}
        MAVEN_OPTS+=" -D$scheme.proxyHost=$host -D$scheme.proxyPort=$port"
    done
    if [[ -n ${no_proxy:-} && $no_proxy =~ ^[A-Za-z0-9.,*:_-]+$ ]]; then
        MAVEN_OPTS+=" -Dhttp.nonProxyHosts=$(sed 's/,/|/g; s/\(^\||\)\./\1*./g' <<< "$no_proxy")"
    fi
    if [[ -r $bundle ]]; then
        truststore=$store/truststore-$(fingerprint "$bundle").jks
        if [[ ! -f $truststore ]]; then
            rm -f "$store"/truststore-*
            python3 /usr/lib/skypanel/java_truststore.py "$bundle" "$truststore" ||
                warn "The CA bundle $bundle could not be handed to Java; its own is used."
        fi
        [[ ! -f $truststore ]] || MAVEN_OPTS+=" -Djavax.net.ssl.trustStore=$truststore -Djavax.net.ssl.trustStorePassword=changeit"
    fi
    export MAVEN_OPTS
}
