//! How far a sweep is: one line per source on a terminal, else a plain line every ten seconds. On stderr only.

use std::{
    io::IsTerminal,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use connectors::Progress;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio_util::sync::CancellationToken;

use crate::words::thousands;

/// Time between lines in a pipe.
const BETWEEN_LINES: Duration = Duration::from_secs(10);

/// What was read so far.
pub(super) struct SweepProgress {
    seen: Mutex<Seen>,
    /// On a terminal; one bar per source is added as it first speaks.
    bars: Option<MultiProgress>,
    began: Instant,
}

#[derive(Default)]
struct Seen {
    sources: Vec<Source>,
}

struct Source {
    name: String,
    read: Vec<Read>,
    bar: Option<ProgressBar>,
}

struct Read {
    what: String,
    done: u64,
    total: Option<u64>,
}

impl SweepProgress {
    /// For this process's stderr.
    pub(super) fn new() -> Self {
        let terminal = std::io::stderr().is_terminal();
        let bars = terminal.then(|| MultiProgress::with_draw_target(ProgressDrawTarget::stderr()));
        Self {
            seen: Mutex::default(),
            bars,
            began: Instant::now(),
        }
    }

    /// Prints a line every ten seconds until `stop`; on a terminal the bars speak for themselves.
    pub(super) async fn tell(&self, stop: CancellationToken) {
        if self.bars.is_some() {
            return;
        }
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(BETWEEN_LINES) => anstream::eprintln!("{}", self.plain_line()),
            }
        }
    }

    /// Takes the bars away and returns what was read: source, what, how many.
    pub(super) fn finish(&self) -> Vec<(String, String, u64)> {
        if let Some(bars) = &self.bars {
            // A terminal that went away needs no clearing.
            drop(bars.clear());
        }
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let of = |source: &Source| {
            let name = source.name.clone();
            source
                .read
                .iter()
                .map(move |read| (name.clone(), read.what.clone(), read.done))
                .collect::<Vec<_>>()
        };
        seen.sources.iter().flat_map(of).collect()
    }

    fn plain_line(&self) -> String {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let parts: Vec<String> = seen
            .sources
            .iter()
            .map(|source| format!("{}: {}", source.name, source.words()))
            .collect();
        let so_far = if parts.is_empty() {
            "waiting".to_owned()
        } else {
            parts.join("; ")
        };
        format!(
            "sweeping for {} s: {so_far}",
            self.began.elapsed().as_secs()
        )
    }
}

impl Source {
    fn words(&self) -> String {
        let parts: Vec<String> = self.read.iter().map(Read::words).collect();
        parts.join(" · ")
    }

    /// The newest total rules the bar.
    fn draw(&self) {
        let Some(bar) = &self.bar else { return };
        match self
            .read
            .iter()
            .rev()
            .find_map(|read| Some((read.done, read.total?)))
        {
            Some((done, total)) => {
                bar.set_style(style("{prefix:<9} {bar:20} {msg}"));
                bar.set_length(total.max(1));
                bar.set_position(done.min(total));
            }
            None => bar.set_style(style("{prefix:<9} {spinner} {msg}")),
        }
        bar.set_message(self.words());
        bar.tick();
    }
}

impl Read {
    fn words(&self) -> String {
        match self.total {
            Some(total) => format!(
                "{} of {} {}",
                thousands(self.done),
                thousands(total),
                self.what
            ),
            None => format!("{} {}", thousands(self.done), self.what),
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

impl Progress for SweepProgress {
    fn read(&self, source: &str, what: &str, done: u64, total: Option<u64>) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let at = match seen.sources.iter().position(|known| known.name == source) {
            Some(at) => at,
            None => {
                let bar = self
                    .bars
                    .as_ref()
                    .map(|bars| bars.add(ProgressBar::no_length().with_prefix(source.to_owned())));
                seen.sources.push(Source {
                    name: source.into(),
                    read: Vec::new(),
                    bar,
                });
                seen.sources.len() - 1
            }
        };
        let source = &mut seen.sources[at];
        match source.read.iter_mut().find(|read| read.what == what) {
            Some(read) => (read.done, read.total) = (done, total),
            None => source.read.push(Read {
                what: what.into(),
                done,
                total,
            }),
        }
        source.draw();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_line_names_every_source_once() {
        let progress = SweepProgress {
            seen: Mutex::default(),
            bars: None,
            began: Instant::now(),
        };
        progress.read("okta", "devices", 200, None);
        progress.read("okta", "devices", 12_480, None);
        progress.read("jamf", "computers", 100, Some(4_377));
        assert_eq!(
            progress.plain_line(),
            "sweeping for 0 s: okta: 12,480 devices; jamf: 100 of 4,377 computers"
        );
        assert_eq!(
            progress.finish()[0],
            ("okta".to_owned(), "devices".to_owned(), 12_480)
        );
    }
}
