//! What the README says was measured was printed by the command: every line of a table in its section "## Measured" stands
//! as it is in one of the files of `perf/measured`, which keep the whole output of runs.

use crate::house::Violation;

const README: &str = "README.md";
const SECTION: &str = "## Measured";

/// The README against the texts of the kept outputs.
pub(crate) fn check(readme: &str, outputs: &[&str]) -> Vec<Violation> {
    let mut inside = false;
    let mut violations = Vec::new();
    for (index, line) in readme.lines().enumerate() {
        if line.starts_with("## ") {
            inside = line.trim() == SECTION;
        }
        let is_printed = || outputs.iter().any(|output| output.lines().any(|printed| printed == line));
        if inside && line.starts_with('|') && !is_printed() {
            let what = format!("no file of perf/measured has the line {line}");
            let fix = "keep the command's output there, and copy its lines as they are";
            violations.push(Violation::new(README, index + 1, what, fix));
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_copied_and_not_written() {
        let readme =
            "# T\n| a | 1 |\n## Measured\nCPU.\n| a | 1 |\n|---|---|\n| b | 2 |\n## Words\n| c | 3 |\n";
        for (outputs, expected) in [
            (&["| a | 1 |\n|---|---|\n", "x\n| b | 2 |\n"][..], &[][..]),
            (&["| a | 1 |\n|---|---|\n| b | 2.0 |\n"], &[7]),
            (&[], &[5, 6, 7]),
        ] {
            let found: Vec<usize> = check(readme, outputs).iter().map(|violation| violation.line).collect();
            assert_eq!(found, expected);
        }
    }
}
