//! What runs inside the containers of these tests: this test program itself, told by its environment what to be.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

/// The command line that makes a process type one of the kinds below.
pub(crate) fn command(kind: &str) -> String {
    format!("TASK={kind} exec {} --exact task::be_a_task --nocapture", crate::image::PROGRAM)
}

/// The command line of a server that ends this long after its first answer, which is the one to the health check.
pub(crate) fn brief(lifetime: Duration) -> String {
    format!("LIFETIME_MS={} {}", lifetime.as_millis(), command("brief"))
}

/// Does nothing where it is run as a test.
#[test]
fn be_a_task() {
    // The test runner has begun a line.
    println!();
    match std::env::var("TASK").as_deref() {
        Ok("web") => serve(None),
        Ok("sickens") => sicken(),
        Ok("brief") => {
            let lifetime = std::env::var("LIFETIME_MS").expect("is set").parse().expect("a number");
            serve(Some(Duration::from_millis(lifetime)));
        }
        Ok("crash") => {
            println!("about to crash");
            eprintln!("no database at {}", std::env::var("DATABASE").unwrap_or_default());
            std::process::exit(3);
        }
        Ok("deaf") => {
            println!("forgot to listen");
            std::thread::sleep(Duration::from_secs(3_600));
        }
        Ok("worker") => loop {
            println!("worked");
            std::thread::sleep(Duration::from_millis(500));
        },
        _ => {}
    }
}

/// The command line of a server that answers 503, with words of its own, once it has answered well for this long.
pub(crate) fn sickening(after: Duration) -> String {
    format!("LIFETIME_MS={} {}", after.as_millis(), command("sickens"))
}

fn sicken() {
    let port: u16 = std::env::var("PORT").expect("PORT is set").parse().expect("a port");
    let well: u64 = std::env::var("LIFETIME_MS").expect("is set").parse().expect("a number");
    let listener = TcpListener::bind(("0.0.0.0", port)).expect("binds");
    let begun = std::time::Instant::now();
    for stream in listener.incoming() {
        let mut stream = stream.expect("accepts");
        let mut request = BufReader::new(stream.try_clone().expect("is a socket"));
        let mut line = String::new();
        while line != "\r\n" {
            line.clear();
            if request.read_line(&mut line).is_ok_and(|read| read == 0) {
                break;
            }
        }
        let answer = if begun.elapsed() < Duration::from_millis(well) {
            "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
        } else {
            "HTTP/1.1 503 Oh\r\nConnection: close\r\n\r\nno \x1b[31mdatabase\u{202e}\r\n\0"
        };
        let _ = stream.write_all(answer.as_bytes());
    }
}

/// Answers every request with the greeting and who answers, over connections that are kept.
fn serve(lifetime: Option<Duration>) {
    let port: u16 = std::env::var("PORT").expect("PORT is set").parse().expect("a port");
    let greeting = std::env::var("GREETING").unwrap_or_default();
    let version = std::env::var("SKYPANEL_RELEASE_VERSION").unwrap_or_default();
    let dyno = std::env::var("DYNO").unwrap_or_default();
    let listener = TcpListener::bind(("0.0.0.0", port)).expect("binds");
    println!("serving {version} on {port}");
    let body = format!("{greeting} {version} {dyno}");
    for stream in listener.incoming() {
        let (stream, body) = (stream.expect("accepts"), body.clone());
        std::thread::spawn(move || {
            answer(&stream, &body);
            if let Some(lifetime) = lifetime {
                std::thread::sleep(lifetime);
                println!("served for {lifetime:?}");
                std::process::exit(5);
            }
        });
    }
}

fn answer(stream: &TcpStream, body: &str) {
    let _ = stream.set_nodelay(true);
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    loop {
        let mut close = false;
        loop {
            line.clear();
            match reader.read_line(&mut line) {
                Ok(0) | Err(_) => return,
                Ok(_) if line == "\r\n" => break,
                Ok(_) => close |= line.to_ascii_lowercase().starts_with("connection: close"),
            }
        }
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        let mut stream = stream;
        if stream.write_all(answer.as_bytes()).is_err() || close {
            return;
        }
    }
}
