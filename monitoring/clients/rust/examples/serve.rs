//! Run a network and serve its metrics: `cargo run --example serve`, then `curl http://127.0.0.1:8080/metrics`.
//! An argument is another port; 0 is a free one. The address is printed once it listens.

use lan_metrics::{Figure, InferenceMetrics, Place};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

struct Model;

impl Model {
    /// A stand-in that refuses silence.
    fn inference(&self, audio: &[f32]) -> Result<f32, String> {
        let energy: f32 = audio.iter().map(|sample| sample * sample).sum();
        if energy > 0.0 {
            Ok(energy)
        } else {
            Err("silence".to_owned())
        }
    }
}

fn listen(metrics: &InferenceMetrics, model: &Model, audio: &[f32]) -> Result<f32, String> {
    let inference = metrics.track_inference();
    let result = model.inference(audio)?;
    inference.done();
    Ok(result)
}

fn answer(mut client: TcpStream, metrics: &InferenceMetrics) -> std::io::Result<()> {
    client.set_read_timeout(Some(Duration::from_secs(2)))?;
    client.set_write_timeout(Some(Duration::from_secs(2)))?;
    let mut request = String::new();
    BufReader::new(&client).read_line(&mut request)?;
    let (status, body) = match (request.starts_with("GET /metrics "), metrics.text()) {
        (true, Ok(text)) => ("200 OK", text),
        (true, Err(error)) => ("500 Internal Server Error", error.to_string()),
        (false, _) => ("404 Not Found", "only /metrics is here\n".to_owned()),
    };
    write!(
        client,
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let port = std::env::args().nth(1).unwrap_or_else(|| "8080".to_owned());
    let metrics = InferenceMetrics::new(&Place::of("desktop"))?;
    let model = Model;
    for audio in [[0.5; 160], [0.25; 160], [0.0; 160]] {
        if let Err(error) = listen(&metrics, &model, &audio) {
            eprintln!("inference: {error}");
        }
    }
    metrics.report(Figure::PowerMw, 850.0)?;
    metrics.report(Figure::AccuracyPercent, 95.1)?;

    let listener = TcpListener::bind(format!("127.0.0.1:{port}"))?;
    println!("http://{}/metrics", listener.local_addr()?);
    for client in listener.incoming() {
        if let Err(error) = client.and_then(|client| answer(client, &metrics)) {
            eprintln!("a client: {error}");
        }
    }
    Ok(())
}
