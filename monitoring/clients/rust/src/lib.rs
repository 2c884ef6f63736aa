//! Metrics of an application that runs the network, under the names that boards and test runs have:
//! `pytest_lan_hil.metrics` for Rust. Dashboards apply to it unchanged, alerts once there is a target.
//!
//! ```
//! use lan_metrics::{Figure, InferenceMetrics, Place};
//!
//! let metrics = InferenceMetrics::new(&Place::of("desktop")).unwrap();
//! let inference = metrics.track_inference();
//! // let result = model.inference(&audio)?;
//! inference.done();
//! metrics.report(Figure::PowerMw, 850.0).unwrap();
//! println!("{}", metrics.text().unwrap());
//! ```

mod names;

pub use names::{Figure, BUCKETS, ERRORS, LATENCY};

use names::ROWS;
use prometheus::{
    Encoder, Error, GaugeVec, Histogram, HistogramOpts, IntCounter, Opts, Registry, Result,
    TextEncoder,
};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// What runs the network, and where: labels of every series.
#[derive(Clone, Debug)]
pub struct Place {
    pub board: String,
    pub bench: String,
    /// Which one of many, from a bounded inventory; empty for no such label.
    pub device: String,
    /// True if this is no real machine.
    pub simulated: bool,
}

impl Place {
    /// A real board of this name, in the field.
    pub fn of(board: &str) -> Self {
        Place {
            board: board.to_owned(),
            bench: "field".to_owned(),
            device: String::new(),
            simulated: false,
        }
    }

    fn labels(&self) -> HashMap<String, String> {
        let simulated = if self.simulated { "true" } else { "false" };
        let mut labels = HashMap::from([
            ("board".to_owned(), self.board.clone()),
            ("bench".to_owned(), self.bench.clone()),
            ("simulated".to_owned(), simulated.to_owned()),
        ]);
        if !self.device.is_empty() {
            labels.insert("device".to_owned(), self.device.clone());
        }
        labels
    }
}

/// Latency, errors and reported figures of one application. Share it by reference or in an `Arc`.
pub struct InferenceMetrics {
    registry: Registry,
    latency: Histogram,
    errors: IntCounter,
    figures: Vec<GaugeVec>,
}

impl InferenceMetrics {
    /// Metrics in a registry of their own.
    pub fn new(place: &Place) -> Result<Self> {
        Self::within(Registry::new(), place)
    }

    /// Metrics in a registry of yours; fails if it has some of these names already.
    pub fn within(registry: Registry, place: &Place) -> Result<Self> {
        let labels = place.labels();
        let latency = Histogram::with_opts(
            HistogramOpts::new(LATENCY, "Wall time of an inference")
                .const_labels(labels.clone())
                .buckets(BUCKETS.to_vec()),
        )?;
        registry.register(Box::new(latency.clone()))?;
        let errors = IntCounter::with_opts(
            Opts::new(ERRORS, "Inferences that raised an error").const_labels(labels.clone()),
        )?;
        registry.register(Box::new(errors.clone()))?;
        let mut figures = Vec::with_capacity(ROWS.len());
        for row in &ROWS {
            // A vector of one: without a value it has no series, and absent is not zero.
            let options = Opts::new(row.metric, row.help).const_labels(labels.clone());
            let gauge = GaugeVec::new(options, &["statistic"])?;
            registry.register(Box::new(gauge.clone()))?;
            figures.push(gauge);
        }
        Ok(InferenceMetrics {
            registry,
            latency,
            errors,
            figures,
        })
    }

    /// Start an inference. It ends with `done`; if it is dropped before, by `?` or a panic, it has failed.
    #[must_use = "an inference that is dropped at once has failed"]
    pub fn track_inference(&self) -> Inference<'_> {
        Inference {
            metrics: self,
            start: Instant::now(),
            open: true,
        }
    }

    /// One inference more, which was timed elsewhere.
    pub fn observe(&self, duration: Duration) {
        self.latency.observe(duration.as_secs_f64());
    }

    /// Set a figure, in the unit of its name; refuses a value that can't be.
    pub fn report(&self, figure: Figure, value: f64) -> Result<()> {
        let row = &ROWS[figure as usize];
        // a comparison with NaN is false
        if !(row.lowest <= value && value <= row.highest) {
            return Err(Error::Msg(format!(
                "reporting {}={}: that can't be",
                row.key, value
            )));
        }
        self.figures[figure as usize]
            .with_label_values(&[row.statistic])
            .set(value * row.scale);
        Ok(())
    }

    /// The registry, for what else an application counts.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// What `/metrics` serves, as `text/plain; version=0.0.4`.
    pub fn text(&self) -> Result<String> {
        let mut bytes = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut bytes)?;
        let text = String::from_utf8(bytes).map_err(|error| Error::Msg(error.to_string()))?;
        // The crate writes whole bounds as "1", prometheus-client and OpenMetrics as "1.0". Series of both
        // must have the same `le`. A quote within another label's value is escaped, so that nothing else
        // reads like this.
        Ok(BUCKETS
            .iter()
            .filter(|bound| bound.fract() == 0.0)
            .fold(text, |text, bound| {
                text.replace(
                    &format!(",le=\"{bound}\"}}"),
                    &format!(",le=\"{bound:.1}\"}}"),
                )
            }))
    }
}

/// An inference that is going on.
pub struct Inference<'a> {
    metrics: &'a InferenceMetrics,
    start: Instant,
    open: bool,
}

impl Inference<'_> {
    /// It is done: take its time.
    pub fn done(mut self) {
        self.open = false;
        self.metrics.observe(self.start.elapsed());
    }

    /// It was given up, by nobody's fault: count nothing.
    pub fn discard(mut self) {
        self.open = false;
    }
}

impl Drop for Inference<'_> {
    fn drop(&mut self) {
        if self.open {
            self.metrics.errors.inc();
        }
    }
}
