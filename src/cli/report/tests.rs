//! What a user reads of a fault.

use super::*;

fn report(text: &str, diagnostics: Vec<Diagnostic>) -> String {
    let report = Report {
        path: "m.toml".into(),
        text: text.into(),
        diagnostics,
    };
    render(&report, false)
}

#[test]
fn a_fault_has_file_line_column_and_an_underline() {
    let text = "a = 1\nbb = \"über\"\n";
    let span = text.find("\"über\"").unwrap();
    let shown = report(
        text,
        vec![Diagnostic::error("no", span..span + 7, "this").with_help("write \"x\"")],
    );
    let wanted = "error: no\n --> m.toml:2:6\n  |\n2 | bb = \"über\"\n  |      ^^^^^^ this\n  |\n  = help: write \"x\"";
    assert_eq!(shown, wanted);
}

#[test]
fn labels_far_apart_do_not_show_what_is_between() {
    let text = format!("first\n{}last\n", "between\n".repeat(5000));
    let last = text.len() - 5;
    let shown = report(
        &text,
        vec![Diagnostic::error("twice", last..last + 4, "again").with_label(0..5, "here")],
    );
    assert!(
        shown.contains("m.toml:5002:1") && shown.contains("first") && !shown.contains("between"),
        "{shown}"
    );
}

#[test]
fn a_line_of_a_megabyte_is_shown_around_its_label() {
    let text = format!("{}WRONG{}", "x".repeat(1 << 20), "y".repeat(1 << 20));
    let at = 1 << 20;
    let shown = report(&text, vec![Diagnostic::error("no", at..at + 5, "this")]);
    assert!(
        shown.len() < 5000 && shown.contains("WRONG") && shown.contains(&format!("m.toml:1:{}", at + 1)),
        "{shown}"
    );
}

#[test]
fn spans_outside_of_the_text_do_no_harm() {
    for span in [0..0, 3..9, 7..9, 100..200] {
        assert!(report("aü\nb", vec![Diagnostic::warning("w", span, "")]).starts_with("warning: w"));
    }
    assert_eq!(
        report(
            "",
            vec![Diagnostic {
                labels: Vec::new(),
                ..Diagnostic::error("e", 0..0, "")
            }]
        )
        .lines()
        .next(),
        Some("error: e")
    );
}

#[test]
fn a_text_cannot_steer_the_terminal() {
    let text = "k = \"\u{1b}[31m\u{9b}\u{202e}\"";
    let shown = report(text, vec![Diagnostic::error("\u{1b}[2J", 0..text.len(), "\u{202e}")]);
    assert!(!shown.contains(['\u{1b}', '\u{9b}', '\u{202e}']), "{shown:?}");
}
