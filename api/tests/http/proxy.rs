//! In front of several processes of the API, as a load balancer is: every connection goes to the next one.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// See the module. Ends, with its connections, when it is dropped.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    /// Connections that each process was given.
    given: Arc<Vec<AtomicUsize>>,
    task: JoinHandle<()>,
}

impl Proxy {
    pub(crate) async fn before(processes: Vec<SocketAddr>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("listens");
        let address = listener.local_addr().expect("has one");
        let given: Arc<Vec<AtomicUsize>> = Arc::new(processes.iter().map(|_| AtomicUsize::new(0)).collect());
        let counted = given.clone();
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            for turn in (0..processes.len()).cycle() {
                let (mut client, _) = listener.accept().await.expect("accepts");
                counted[turn].fetch_add(1, Ordering::Relaxed);
                let process = processes[turn];
                connections.spawn(async move {
                    let mut server = TcpStream::connect(process).await.expect("answers");
                    // Either side may go away at any time.
                    let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
                });
                while connections.try_join_next().is_some() {}
            }
        });
        Self { address, given, task }
    }

    /// How many connections went to each process.
    pub(crate) fn given(&self) -> Vec<usize> {
        self.given.iter().map(|count| count.load(Ordering::Relaxed)).collect()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}
