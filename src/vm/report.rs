//! What has come of a test, for programs: JSON, and the XML that continuous integration calls JUnit.

use std::fmt::Write;

use serde::Serialize;

use super::trial::Outcome;
use crate::facts::cell::Cell;

/// A test that has been run.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// What has come of each cell.
    pub cells: Vec<Outcome>,
    /// The cells that cannot be tried here.
    pub skipped: Vec<Skipped>,
}

/// A cell that was not tried.
#[derive(Clone, Debug, Serialize)]
pub struct Skipped {
    /// What was not booted.
    pub cell: Cell,
    /// Whether it was asked for, by the manifest or on the command line.
    pub asked: bool,
    /// Why.
    pub reason: String,
}

impl Report {
    /// How many cells have not shown what they had to.
    pub fn failures(&self) -> usize {
        self.cells.iter().filter(|outcome| !outcome.passed).count()
    }

    /// As JUnit's XML: a test suite of this name, each cell a test case. There is no standard; these elements and attributes are
    /// what Jenkins and GitLab read.
    pub fn junit(&self, name: &str) -> String {
        let name = escaped(name);
        let seconds: f64 = self.cells.iter().map(|outcome| outcome.seconds).sum();
        let (tests, failures) = (self.cells.len() + self.skipped.len(), self.failures());
        let errors = self.skipped.iter().filter(|cell| cell.asked).count();
        let skipped = self.skipped.len() - errors;
        let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
        let counts = format!("tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"{skipped}\"");
        // Writing to a string does not fail.
        let _ = writeln!(out, "<testsuite name=\"{name}\" {counts} time=\"{seconds:.3}\">");
        let case = |cell, seconds| format!("<testcase classname=\"{name}\" name=\"{cell}\" time=\"{seconds:.3}\">");
        for outcome in &self.cells {
            let _ = write!(out, "{}", case(outcome.cell, outcome.seconds));
            if let Some(failure) = &outcome.failure {
                let (reason, all) = (escaped(&outcome.reason), escaped(&failure.to_string()));
                let _ = write!(out, "<failure message=\"{reason}\">{all}</failure>");
            } else {
                let _ = write!(out, "<system-out>{}</system-out>", escaped(&outcome.reason));
            }
            out.push_str("</testcase>\n");
        }
        for skipped in &self.skipped {
            let reason = escaped(&skipped.reason);
            let element = if skipped.asked { "error" } else { "skipped" };
            let case = case(skipped.cell, 0.0);
            let _ = writeln!(out, "{case}<{element} message=\"{reason}\"/></testcase>");
        }
        out.push_str("</testsuite>\n</testsuites>\n");
        out
    }
}

/// Text of an element or an attribute. XML 1.0 §2.2 has no way to write most control characters.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            '\t' => out.push('\t'),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vm::Failure;

    #[test]
    fn what_a_machine_says_does_not_break_the_xml() {
        let cell = "bios-cd".parse().unwrap();
        let reason = "says \"<x>\" & \u{1b}\nmore".to_owned();
        let failed = Outcome {
            cell,
            passed: false,
            reason: reason.clone(),
            seconds: 0.0,
            log: None,
            screenshot: None,
            command: "qemu".into(),
            firmware: Vec::new(),
            mend: None,
            repeat: String::new(),
            failure: Some(Failure {
                reason,
                command: "qemu".into(),
                screen: Err("none".into()),
                rows: vec!["a<b".into()],
                logs: "/nowhere/at/all".into(),
            }),
        };
        let skipped = [("uefi-usb", false), ("uefi-cd", true)].map(|(cell, asked)| Skipped {
            cell: cell.parse().unwrap(),
            asked,
            reason: "no firmware".into(),
        });
        let report = Report {
            cells: vec![failed],
            skipped: skipped.into(),
        };
        let xml = report.junit("a<b");
        assert!(xml.contains(
            "<testsuite name=\"a&lt;b\" tests=\"3\" failures=\"1\" errors=\"1\" skipped=\"1\" time=\"0.000\">"
        ));
        assert!(
            xml.contains("message=\"says &quot;&lt;x&gt;&quot; &amp; \u{fffd}&#10;more\">")
                && xml.contains("screen: a&lt;b</failure>"),
            "{xml}"
        );
        assert!(
            xml.contains("name=\"uefi-cd\" time=\"0.000\"><error message=\"no firmware\"/>"),
            "{xml}"
        );
        assert!(
            xml.contains("name=\"uefi-usb\" time=\"0.000\"><skipped message=\"no firmware\"/>"),
            "{xml}"
        );
    }
}
