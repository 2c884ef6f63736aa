//! Names, buckets and figures. Generated from the quantity table: python -m monitoring.generate.rust_names

/// Histogram of the wall time of inferences, seconds.
pub const LATENCY: &str = "lan_inference_latency_seconds";

/// Counter of inferences that failed.
pub const ERRORS: &str = "lan_errors_total";

/// Upper bounds of the histogram, seconds.
#[rustfmt::skip]
pub const BUCKETS: [f64; 31] = [
    0.0001,
    0.00015,
    0.00022,
    0.00033,
    0.00047,
    0.00068,
    0.001,
    0.0015,
    0.0022,
    0.0033,
    0.0047,
    0.0068,
    0.01,
    0.015,
    0.022,
    0.033,
    0.047,
    0.068,
    0.1,
    0.15,
    0.22,
    0.33,
    0.47,
    0.68,
    1.0,
    1.5,
    2.2,
    3.3,
    4.7,
    6.8,
    10.0,
];

/// What can be reported, by name and unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Figure {
    /// Energy taken from the supply between the edges of the inference marker line.
    EnergyUj,
    /// Mean power over the measured part of the test.
    PowerMw,
    /// Static RAM of the image plus the high-water marks of stack and heap (1 KB = 1024 bytes).
    MemoryKb,
    /// Share of labelled recordings that the DUT names rightly.
    AccuracyPercent,
    /// Probability that the network gives its own answer.
    ConfidencePercent,
    /// Share of sounds without speech that the DUT takes for a word.
    FalsePositiveRatePercent,
    /// Population stability index of the features on the DUT against those of the training.
    DriftScore,
    /// Inferences per second that the DUT completes back to back.
    ThroughputPerS,
    /// Share of audio frames that came too late or were lost.
    DroppedFramesPercent,
    /// Share of time that the core is awake while it listens.
    CpuUtilisationPercent,
    /// Flash that the image fills (1 KB = 1024 bytes).
    FlashKb,
    /// RAM of the chip that neither the image nor its stack and heap ever used (1 KB = 1024 bytes).
    MemoryAvailableKb,
    /// Temperature that the chip's own sensor reports.
    TemperatureDegc,
    /// Time that the board's battery lasts at the mean power measured.
    BatteryH,
    /// Time since the DUT's last reset, by its own clock.
    UptimeS,
}

/// How a figure is published: `value * scale` is in the metric's base unit.
pub(crate) struct Row {
    pub(crate) key: &'static str,
    pub(crate) metric: &'static str,
    pub(crate) statistic: &'static str,
    pub(crate) help: &'static str,
    pub(crate) scale: f64,
    pub(crate) lowest: f64,
    pub(crate) highest: f64,
}

/// A row for each `Figure`, in their order.
pub(crate) const ROWS: [Row; 15] = [
    Row {
        key: "energy_uj",
        metric: "lan_energy_per_inference_joules",
        statistic: "mean",
        help: "Energy taken from the supply between the edges of the inference marker line",
        scale: 1e-6,
        lowest: 0.0,
        highest: f64::MAX,
    },
    Row {
        key: "power_mw",
        metric: "lan_power_watts",
        statistic: "mean",
        help: "Mean power over the measured part of the test",
        scale: 0.001,
        lowest: 0.0,
        highest: f64::MAX,
    },
    Row {
        key: "memory_kb",
        metric: "lan_memory_bytes",
        statistic: "max",
        help: "Static RAM of the image plus the high-water marks of stack and heap (1 KB = 1024 bytes)",
        scale: 1024.0,
        lowest: 0.0,
        highest: f64::MAX,
    },
    Row {
        key: "accuracy_percent",
        metric: "lan_model_accuracy_ratio",
        statistic: "share",
        help: "Share of labelled recordings that the DUT names rightly",
        scale: 0.01,
        lowest: 0.0,
        highest: 100.0,
    },
    Row {
        key: "confidence_percent",
        metric: "lan_model_confidence_ratio",
        statistic: "mean",
        help: "Probability that the network gives its own answer",
        scale: 0.01,
        lowest: 0.0,
        highest: 100.0,
    },
    Row {
        key: "false_positive_rate_percent",
        metric: "lan_false_positive_ratio",
        statistic: "share",
        help: "Share of sounds without speech that the DUT takes for a word",
        scale: 0.01,
        lowest: 0.0,
        highest: 100.0,
    },
    Row {
        key: "drift_score",
        metric: "lan_feature_drift_ratio",
        statistic: "max",
        help: "Population stability index of the features on the DUT against those of the training",
        scale: 1.0,
        lowest: 0.0,
        highest: f64::MAX,
    },
    Row {
        key: "throughput_per_s",
        metric: "lan_inference_throughput_hertz",
        statistic: "min",
        help: "Inferences per second that the DUT completes back to back",
        scale: 1.0,
        lowest: 0.0,
        highest: f64::MAX,
    },
    Row {
        key: "dropped_frames_percent",
        metric: "lan_dropped_frames_ratio",
        statistic: "max",
        help: "Share of audio frames that came too late or were lost",
        scale: 0.01,
        lowest: 0.0,
        highest: 100.0,
    },
    Row {
        key: "cpu_utilisation_percent",
        metric: "lan_cpu_utilisation_ratio",
        statistic: "max",
        help: "Share of time that the core is awake while it listens",
        scale: 0.01,
        lowest: 0.0,
        highest: 100.0,
    },
    Row {
        key: "flash_kb",
        metric: "lan_flash_bytes",
        statistic: "max",
        help: "Flash that the image fills (1 KB = 1024 bytes)",
        scale: 1024.0,
        lowest: 0.0,
        highest: f64::MAX,
    },
    Row {
        key: "memory_available_kb",
        metric: "lan_memory_available_bytes",
        statistic: "min",
        help: "RAM of the chip that neither the image nor its stack and heap ever used (1 KB = 1024 bytes)",
        scale: 1024.0,
        lowest: 0.0,
        highest: f64::MAX,
    },
    Row {
        key: "temperature_degc",
        metric: "lan_temperature_celsius",
        statistic: "max",
        help: "Temperature that the chip's own sensor reports",
        scale: 1.0,
        lowest: -273.15,
        highest: f64::MAX,
    },
    Row {
        key: "battery_h",
        metric: "lan_battery_life_seconds",
        statistic: "mean",
        help: "Time that the board's battery lasts at the mean power measured",
        scale: 3600.0,
        lowest: 0.0,
        highest: f64::MAX,
    },
    Row {
        key: "uptime_s",
        metric: "lan_uptime_seconds",
        statistic: "min",
        help: "Time since the DUT's last reset, by its own clock",
        scale: 1.0,
        lowest: 0.0,
        highest: f64::MAX,
    },
];
