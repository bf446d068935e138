//! The table that comes out.

use std::fmt;
use std::time::Duration;

/// What must hold for a figure.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target {
    /// At most so many times the baseline.
    AtMost(f64),
    /// At least this part of the baseline.
    AtLeast(f64),
    /// At most this figure, whatever the baseline is.
    Within(Figure),
    /// At most the baseline and this figure.
    MoreBy(Figure),
    /// At least this figure, whatever the baseline is.
    #[cfg(feature = "sqlite")]
    Reaches(Figure),
    /// For information.
    None,
}

/// A number and what it counts.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Figure {
    Time(Duration),
    Bytes(f64),
    PerSecond(f64),
}

impl Figure {
    fn number(self) -> f64 {
        match self {
            Self::Time(time) => time.as_secs_f64(),
            Self::Bytes(number) | Self::PerSecond(number) => number,
        }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Time(time) if time.as_secs() >= 1 => write!(f, "{:.2} s", time.as_secs_f64()),
            Self::Time(time) if time.as_millis() >= 10 => write!(f, "{:.1} ms", time.as_secs_f64() * 1e3),
            Self::Time(time) if time.as_millis() >= 1 => write!(f, "{:.2} ms", time.as_secs_f64() * 1e3),
            Self::Time(time) => write!(f, "{:.1} µs", time.as_secs_f64() * 1e6),
            Self::Bytes(bytes) if bytes >= 1024.0 * 1024.0 => write!(f, "{:.1} MiB", bytes / (1024.0 * 1024.0)),
            Self::Bytes(bytes) if bytes >= 10.0 * 1024.0 => write!(f, "{:.1} KiB", bytes / 1024.0),
            Self::Bytes(bytes) => write!(f, "{bytes:.0} B"),
            Self::PerSecond(rate) => write!(f, "{rate:.0}/s"),
        }
    }
}

/// One line: a figure, its baseline and what is wanted.
pub(crate) struct Row {
    pub(crate) what: String,
    pub(crate) mizu: Figure,
    pub(crate) baseline: Option<(&'static str, Figure)>,
    pub(crate) target: Target,
}

impl Row {
    fn ratio(&self) -> Option<f64> {
        let (_, baseline) = self.baseline?;
        Some(self.mizu.number() / baseline.number())
    }

    fn met(&self) -> Option<bool> {
        match (self.target, self.ratio()) {
            (Target::AtMost(most), Some(ratio)) => Some(ratio <= most),
            (Target::AtLeast(least), Some(ratio)) => Some(ratio >= least),
            (Target::MoreBy(most), _) => {
                let (_, baseline) = self.baseline?;
                Some(self.mizu.number() <= baseline.number() + most.number())
            }
            (Target::Within(most), _) => Some(self.mizu.number() <= most.number()),
            #[cfg(feature = "sqlite")]
            (Target::Reaches(least), _) => Some(self.mizu.number() >= least.number()),
            _ => None,
        }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ratio = self.ratio().map(|ratio| format!("{ratio:.2}")).unwrap_or_default();
        let baseline = self.baseline.map(|(name, figure)| format!("{figure} ({name})")).unwrap_or_default();
        let target = match self.target {
            Target::AtMost(most) => format!("≤ {most} ×"),
            Target::AtLeast(least) => format!("≥ {least} ×"),
            Target::MoreBy(most) => format!("≤ baseline + {most}"),
            Target::Within(most) => format!("≤ {most}"),
            #[cfg(feature = "sqlite")]
            Target::Reaches(least) => format!("≥ {least}"),
            Target::None => String::new(),
        };
        let met = self.met().map(|met| if met { "yes" } else { "**no**" }).unwrap_or_default();
        write!(f, "| {} | {} | {baseline} | {ratio} | {target} | {met} |", self.what, self.mizu)
    }
}

#[derive(Default)]
pub(crate) struct Table(Vec<String>);

impl Table {
    pub(crate) fn push(&mut self, row: Row) {
        self.0.push(row.to_string());
    }

    /// Says what this build or this machine can't measure, and why.
    pub(crate) fn absent(&mut self, what: &str, why: &str) {
        self.0.push(format!("| {what} | not measured: {why} | | | | |"));
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| | mizu | baseline | ratio | target | met |")?;
        writeln!(f, "|---|---|---|---|---|---|")?;
        self.0.iter().try_for_each(|row| writeln!(f, "{row}"))
    }
}
