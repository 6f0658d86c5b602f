//! Percentile distributions as text, in the form that HdrHistogram's libraries print and its plotters read. Times are
//! microseconds.

use super::series::{PHASES, Row, Series};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// One distribution.
pub(crate) fn text(series: &Series) -> String {
    let mut text =
        format!("{:>12} {:>14} {:>10} {:>14}\n\n", "Value", "Percentile", "TotalCount", "1/(1-Percentile)");
    for point in &series.points {
        let _ = write!(text, "{:12.3} {:2.12} {:10}", point.us, point.share, point.count);
        let _ = match point.share < 1.0 {
            true => writeln!(text, " {:14.2}", 1.0 / (1.0 - point.share)),
            false => writeln!(text),
        };
    }
    let _ = write!(
        text,
        "#[Mean    = {:12.3}, StdDeviation   = {:12.3}]\n#[Max     = {:12.3}, Total count    = {:12}]\n",
        series.mean_us,
        series.deviation_us,
        series.max_us(),
        series.count
    );
    text
}

/// The files of some rows: `out.hgrm` becomes `out.total.hgrm`; where there are several rows, `out.default_users.total.hgrm`.
pub(crate) fn files(path: &Path, rows: &[Row]) -> Vec<(PathBuf, String)> {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let extension =
        path.extension().map_or_else(|| "hgrm".into(), |text| text.to_string_lossy().into_owned());
    let mut files = Vec::new();
    for row in rows {
        let plain = |c: char| if c.is_ascii_alphanumeric() || "-.".contains(c) { c } else { '_' };
        let named = row.title.split_once(' ').map_or(row.title.as_str(), |(_, key)| key);
        let part = if rows.len() > 1 {
            format!(".{}", named.chars().map(plain).collect::<String>())
        } else {
            String::new()
        };
        for series in &row.series {
            let name = format!("{stem}{part}.{}.{extension}", PHASES[series.phase].key);
            files.push((path.with_file_name(name), text(series)));
        }
    }
    files
}

#[cfg(test)]
mod tests {
    use super::super::series::{rows, tests::answer};
    use super::*;

    #[test]
    fn a_distribution_is_in_the_form_of_others() {
        let rows = rows(&answer());
        let text = text(&rows[0].series[0]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "       Value     Percentile TotalCount 1/(1-Percentile)");
        assert_eq!(lines[2], "     100.000 0.000000000000        500           1.00");
        assert_eq!(lines[5], "     900.000 0.990000000000        990         100.00");
        assert_eq!(lines[7], "   10000.000 1.000000000000       1000");
        assert_eq!(lines[8], "#[Mean    =      100.000, StdDeviation   =        1.500]");
        assert_eq!(lines[9], "#[Max     =    10000.000, Total count    =         1000]");
    }

    #[test]
    fn every_phase_has_a_file() {
        let mut two = answer();
        two["by"] = "route".into();
        let mut other = two["rows"][0].clone();
        (other["key"], two["rows"][0]["key"]) = ("n/../x y".into(), "n/r".into());
        two["rows"].as_array_mut().expect("rows").push(other);
        let names = |profile: &serde_json::Value, path: &str| -> Vec<String> {
            let files = files(Path::new(path), &rows(profile));
            files.into_iter().map(|(path, _)| path.to_string_lossy().into_owned()).collect()
        };
        assert_eq!(names(&answer(), "a/out.hgrm"), ["a/out.total.hgrm", "a/out.tax.hgrm"]);
        assert_eq!(
            names(&two, "out"),
            ["out.n_r.total.hgrm", "out.n_r.tax.hgrm", "out.n_.._x_y.total.hgrm", "out.n_.._x_y.tax.hgrm"]
        );
    }
}
