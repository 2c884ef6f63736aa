//! Counts are exact from threads, failures are counted and not timed, and nothing that can't be is taken.

use lan_metrics::{Figure, InferenceMetrics, Place, ERRORS, LATENCY};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::thread;
use std::time::Duration;

fn desktop() -> InferenceMetrics {
    InferenceMetrics::new(&Place::of("desktop")).unwrap()
}

const PLACE: &str = "bench=\"field\",board=\"desktop\",";

fn value(metrics: &InferenceMetrics, series: &str) -> Option<f64> {
    let text = metrics.text().unwrap();
    let found = text
        .lines()
        .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))?
        .parse();
    found.ok()
}

fn inferences(metrics: &InferenceMetrics) -> f64 {
    value(
        metrics,
        &format!("{LATENCY}_count{{{PLACE}simulated=\"false\"}}"),
    )
    .unwrap()
}

fn errors(metrics: &InferenceMetrics) -> f64 {
    value(metrics, &format!("{ERRORS}{{{PLACE}simulated=\"false\"}}")).unwrap()
}

#[test]
fn an_inference_that_is_done_is_timed() {
    let metrics = desktop();
    let inference = metrics.track_inference();
    thread::sleep(Duration::from_millis(20));
    inference.done();
    let sum = value(
        &metrics,
        &format!("{LATENCY}_sum{{{PLACE}simulated=\"false\"}}"),
    )
    .unwrap();
    assert_eq!((inferences(&metrics), errors(&metrics)), (1.0, 0.0));
    assert!((0.02..5.0).contains(&sum));
}

#[test]
fn an_early_return_and_a_panic_are_errors_without_a_time() {
    let metrics = desktop();
    let failing = || -> Result<(), String> {
        let inference = metrics.track_inference();
        Err("no model".to_owned())?;
        inference.done();
        Ok(())
    };
    assert!(failing().is_err());
    let panicking = || {
        let _inference = metrics.track_inference();
        panic!("no audio");
    };
    assert!(catch_unwind(AssertUnwindSafe(panicking)).is_err());
    assert_eq!((inferences(&metrics), errors(&metrics)), (0.0, 2.0));
}

#[test]
fn what_is_given_up_is_neither() {
    let metrics = desktop();
    metrics.track_inference().discard();
    assert_eq!((inferences(&metrics), errors(&metrics)), (0.0, 0.0));
}

#[test]
fn threads_lose_nothing() {
    let metrics = desktop();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for number in 0..2000 {
                    let inference = metrics.track_inference();
                    if number % 4 != 0 {
                        inference.done();
                    }
                }
            });
        }
    });
    assert_eq!(
        (inferences(&metrics), errors(&metrics)),
        (12_000.0, 4_000.0)
    );
}

#[test]
fn a_figure_is_in_its_base_unit_and_absent_until_it_is_reported() {
    let metrics = desktop();
    let series = format!("lan_power_watts{{{PLACE}simulated=\"false\",statistic=\"mean\"}}");
    assert_eq!(value(&metrics, &series), None);
    metrics.report(Figure::PowerMw, 900.0).unwrap();
    metrics.report(Figure::PowerMw, 850.0).unwrap();
    assert!((value(&metrics, &series).unwrap() - 0.85).abs() < 1e-12);
}

#[test]
fn what_can_t_be_is_refused() {
    let metrics = desktop();
    for (figure, wrong) in [
        (Figure::PowerMw, f64::NAN),
        (Figure::PowerMw, f64::INFINITY),
        (Figure::PowerMw, -0.1),
        (Figure::AccuracyPercent, 100.5),
        (Figure::TemperatureDegc, -300.0),
    ] {
        let error = metrics.report(figure, wrong).unwrap_err();
        assert!(error.to_string().contains("that can't be"), "{error}");
    }
    assert!(!metrics.text().unwrap().contains("lan_power_watts"));
}

#[test]
fn whole_bounds_are_written_as_prometheus_client_writes_them_and_labels_stay() {
    let mut place = Place::of("de\"sk,le=\"1\"}");
    place.device = "d-17".to_owned();
    place.simulated = true;
    let text = InferenceMetrics::new(&place).unwrap().text().unwrap();
    assert!(text.contains(",le=\"1.0\"} 0") && text.contains(",le=\"10.0\"} 0"));
    assert!(text.contains("board=\"de\\\"sk,le=\\\"1\\\"}\""));
    assert!(text.contains("device=\"d-17\"") && text.contains("simulated=\"true\""));
}

#[test]
fn a_registry_that_has_such_metrics_is_refused() {
    let metrics = desktop();
    let second = InferenceMetrics::within(metrics.registry().clone(), &Place::of("desktop"));
    assert!(second.is_err());
}
