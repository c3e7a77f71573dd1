//! The public address of an app, as its users are told it.

/// Where the edge of this installation answers plain HTTP; the rest of an app's address follows from it.
#[derive(Clone, Copy, Debug)]
pub struct AddressFormat {
    /// Port of the edge for plain HTTP.
    pub http_port: u16,
}

impl AddressFormat {
    /// Such as `http://hello.localhost`, or `http://hello.localhost:8081` where the port is not HTTP's own.
    pub fn of(&self, subdomain: &str, domain: &str) -> String {
        match self.http_port {
            80 => format!("http://{subdomain}.{domain}"),
            port => format!("http://{subdomain}.{domain}:{port}"),
        }
    }
}
