//! The report as one page: figures and plots, nothing loaded from elsewhere.

use super::measure::Measured;
use super::report::{Report, micros, points, quantile};
use std::fmt::Write;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 240.0;
const MARGIN: f64 = 46.0;
/// Points drawn of a plot at most: enough to see its shape.
const MOST_POINTS: usize = 3000;

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:44rem;padding:0 1rem;\
color:#1c2430;background:#fff}h1{font-size:1.4rem}h2{font-size:1.05rem;margin-top:2rem}table{border-collapse:collapse}\
td,th{padding:.15rem .9rem .15rem 0;text-align:right}td:first-child,th:first-child{text-align:left}svg{width:100%;height:auto}\
text{font-size:11px;fill:#5a6675}.bar{fill:#2f6fb7}.dot{fill:#2f6fb7;fill-opacity:.35}.axis{stroke:#aeb8c4}\
@media(prefers-color-scheme:dark){body{background:#14181d;color:#dde3ea}text{fill:#97a3b0}.bar,.dot{fill:#6aa5e8}.axis{stroke:#46505c}}";

/// The page.
pub fn page(report: &Report, measured: &Measured) -> String {
    let mut out = String::new();
    let _ = write!(
        out,
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>Fusewall: cost of a ruleset</title><style>{STYLE}</style><h1>Cost of a ruleset</h1>"
    );
    figures(&mut out, report);
    out.push_str("<h2>CPU time of a request: share of requests that need at most so much</h2>");
    distribution(&mut out, measured);
    out.push_str("<h2>CPU time against size of the request</h2>");
    scatter(&mut out, "bytes", "us", points(&measured.samples));
    out.push_str("<h2>Fuel against size of the request</h2>");
    let fuel = measured.samples.iter().map(|sample| (sample.bytes as f64, sample.fuel as f64));
    scatter(&mut out, "bytes", "fuel", fuel);
    out.push_str("<h2>Dearest rules: share of all fuel</h2>");
    rules(&mut out, report);
    out.push_str("</html>\n");
    out
}

fn figures(out: &mut String, report: &Report) {
    let cpu = &report.cpu_us;
    let rows = [
        ("requests", report.requests.to_string()),
        ("refused by rules", report.refused.to_string()),
        ("over a budget", report.exhausted.to_string()),
        ("CPU time, mean (us)", format!("{:.1}", cpu.mean)),
        ("CPU time, median (us)", format!("{:.1}", cpu.p50)),
        ("CPU time, 99 % (us)", format!("{:.1}", cpu.p99)),
        ("CPU time, most (us)", format!("{:.1}", cpu.max)),
        ("MB/s a core", format!("{:.1}", report.mb_per_s)),
        ("fuel, mean", format!("{:.0}", report.fuel.mean)),
        ("fuel, most", report.fuel.max.to_string()),
        ("ns for a unit of fuel", format!("{:.2}", report.ns_per_fuel)),
        ("loading the rules (ms)", format!("{:.0}", report.load_ms)),
        ("resident memory (KB)", report.rss_kb.to_string()),
    ];
    out.push_str("<table>");
    for (name, value) in rows {
        let _ = write!(out, "<tr><td>{name}</td><td>{value}</td></tr>");
    }
    out.push_str("</table>");
}

/// The cumulative distribution, time on a logarithmic axis.
fn distribution(out: &mut String, measured: &Measured) {
    let mut times: Vec<_> = measured.samples.iter().map(|sample| micros(sample.cpu).max(0.1)).collect();
    times.sort_unstable_by(f64::total_cmp);
    let steps = 200;
    let points = (0..=steps).map(|step| {
        let share = f64::from(step) / f64::from(steps);
        (quantile(&times, share), share * 100.0)
    });
    let points: Vec<_> = points.collect();
    let frame = Frame::around(&points, true, false);
    frame.open(out, "us", "%");
    let line: Vec<_> = points.iter().map(|point| frame.place(*point)).map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    let _ = write!(
        out,
        "<polyline fill=\"none\" stroke=\"#2f6fb7\" stroke-width=\"2\" points=\"{}\"/></svg>",
        line.join(" ")
    );
}

/// A point for each request, both axes logarithmic.
fn scatter(out: &mut String, x: &str, y: &str, points: impl Iterator<Item = (f64, f64)>) {
    let points: Vec<_> = points.map(|(x, y)| (x.max(1.0), y.max(0.1))).collect();
    let every = points.len().div_ceil(MOST_POINTS).max(1);
    let frame = Frame::around(&points, true, true);
    frame.open(out, x, y);
    for point in points.iter().step_by(every) {
        let (x, y) = frame.place(*point);
        let _ = write!(out, "<circle class=\"dot\" r=\"2\" cx=\"{x:.1}\" cy=\"{y:.1}\"/>");
    }
    out.push_str("</svg>");
}

fn rules(out: &mut String, report: &Report) {
    let own: f64 = report.rules.iter().map(|rule| rule.fuel_share).sum();
    let shared = ("shared steps".to_owned(), 1.0 - own);
    let rows = std::iter::once(shared)
        .chain(report.rules.iter().take(20).map(|rule| (rule.id.to_string(), rule.fuel_share)))
        .filter(|(_, share)| *share > 0.0);
    let rows: Vec<_> = rows.collect();
    let most = rows.iter().map(|(_, share)| *share).fold(f64::MIN_POSITIVE, f64::max);
    let _ = write!(out, "<svg viewBox=\"0 0 {WIDTH} {}\">", rows.len() * 18 + 4);
    for (at, (name, share)) in rows.iter().enumerate() {
        let y = at * 18;
        let width = (WIDTH - 190.0) * share / most;
        let _ = write!(
            out,
            "<text x=\"0\" y=\"{}\">{name}</text><rect class=\"bar\" x=\"100\" y=\"{}\" height=\"12\" width=\"{width:.1}\"/>\
             <text x=\"{:.1}\" y=\"{}\">{:.2} %</text>",
            y + 14,
            y + 4,
            106.0 + width,
            y + 14,
            100.0 * share
        );
    }
    out.push_str("</svg>");
}

/// Where values lie on the page.
struct Frame {
    x: Axis,
    y: Axis,
}

struct Axis {
    from: f64,
    to: f64,
    logarithmic: bool,
}

impl Axis {
    fn around(values: impl Iterator<Item = f64> + Clone, logarithmic: bool) -> Axis {
        let from = values.clone().fold(f64::INFINITY, f64::min);
        let to = values.fold(f64::NEG_INFINITY, f64::max);
        if logarithmic {
            let from = 10_f64.powf(from.max(0.1).log10().floor());
            Axis { from, to: 10_f64.powf(to.max(0.1).log10().ceil()).max(from * 10.0), logarithmic }
        } else {
            Axis { from: from.min(0.0), to: to.max(1.0), logarithmic }
        }
    }

    /// Between 0 and 1.
    fn share(&self, value: f64) -> f64 {
        let of = |value: f64| if self.logarithmic { value.log10() } else { value };
        (of(value) - of(self.from)) / (of(self.to) - of(self.from))
    }

    fn ticks(&self) -> Vec<f64> {
        if self.logarithmic {
            let decades = (self.to / self.from).log10().round() as i32;
            (0..=decades).map(|decade| self.from * 10_f64.powi(decade)).collect()
        } else {
            (0..=4).map(|quarter| self.from + (self.to - self.from) * f64::from(quarter) / 4.0).collect()
        }
    }
}

impl Frame {
    fn around(points: &[(f64, f64)], x: bool, y: bool) -> Frame {
        Frame {
            x: Axis::around(points.iter().map(|point| point.0), x),
            y: Axis::around(points.iter().map(|point| point.1), y),
        }
    }

    fn place(&self, (x, y): (f64, f64)) -> (f64, f64) {
        let (width, height) = (WIDTH - 1.5 * MARGIN, HEIGHT - 1.5 * MARGIN);
        (MARGIN + width * self.x.share(x), 0.5 * MARGIN + height * (1.0 - self.y.share(y)))
    }

    fn open(&self, out: &mut String, x: &str, y: &str) {
        let _ = write!(out, "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\"><title>{y} against {x}</title>");
        for tick in self.x.ticks() {
            let (at, bottom) = self.place((tick, self.y.from));
            let _ = write!(
                out,
                "<line class=\"axis\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{bottom:.1}\" y2=\"{:.1}\"/>",
                bottom + 4.0
            );
            let _ = write!(
                out,
                "<text text-anchor=\"middle\" x=\"{at:.1}\" y=\"{:.1}\">{}</text>",
                bottom + 16.0,
                short(tick)
            );
        }
        for tick in self.y.ticks() {
            let (left, at) = self.place((self.x.from, tick));
            let _ = write!(
                out,
                "<line class=\"axis\" x1=\"{left:.1}\" x2=\"{:.1}\" y1=\"{at:.1}\" y2=\"{at:.1}\" opacity=\".35\"/>",
                WIDTH - 0.5 * MARGIN
            );
            let _ = write!(
                out,
                "<text text-anchor=\"end\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                left - 5.0,
                at + 4.0,
                short(tick)
            );
        }
        let _ = write!(out, "<text x=\"{:.1}\" y=\"12\">{y}</text>", 4.0);
        let _ = write!(out, "<text text-anchor=\"end\" x=\"{WIDTH}\" y=\"{:.1}\">{x}</text>", HEIGHT - 4.0);
    }
}

/// A number in few characters.
fn short(value: f64) -> String {
    match value {
        v if v >= 1e9 => format!("{:.0}G", v / 1e9),
        v if v >= 1e6 => format!("{:.0}M", v / 1e6),
        v if v >= 1e3 => format!("{:.0}k", v / 1e3),
        v if v >= 1.0 || v == 0.0 => format!("{v:.0}"),
        v => format!("{v:.1}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_lie_inside_the_frame() {
        let points = [(1.0, 0.1), (123_456.0, 9_999.0), (10.0, 55.0)];
        let frame = Frame::around(&points, true, true);
        for point in points {
            let (x, y) = frame.place(point);
            assert!((MARGIN..=WIDTH - 0.5 * MARGIN + 0.1).contains(&x) && (0.0..=HEIGHT - MARGIN + 0.1).contains(&y));
        }
        assert_eq!([0.1, 5.0, 2_000.0, 3e6].map(short), ["0.1", "5", "2k", "3M"]);
    }
}
