//! The faults of a manifest as people see them: each with its line underlined.
//!
//! Nothing of the manifest reaches the terminal as it is: control characters (C0, C1, DEL) and characters that turn the
//! direction of writing are shown as a visible stand-in, so that a text cannot move the cursor or hide what it says.

use std::borrow::Cow;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;

use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use crate::ground::text::visible;
use crate::manifest::diagnostic::{Diagnostic, Label, Report, Severity};

/// All faults, each with file, line and column and its line underlined; an empty line between two of them.
pub(super) fn render(report: &Report, color: bool) -> String {
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let path = visible(report.path.as_os_str().as_bytes());
    let lines = Lines::new(&report.text);
    let rendered: Vec<String> = report
        .diagnostics
        .iter()
        .map(|diagnostic| renderer.render(&[group(diagnostic, &path, &lines)]))
        .collect();
    rendered.join("\n\n")
}

/// Labels this many lines apart are shown in one piece; the lines without a label are folded. Farther apart they are two
/// pieces, so that a report never takes longer than its text is long.
const TOGETHER: usize = 100;

/// A longer line is shown only around its label.
const LONGEST_LINE: usize = 4096;

/// How many bytes of such a line are shown to either side of the label's start.
const AROUND: usize = 256;

fn group<'a>(diagnostic: &'a Diagnostic, path: &'a str, lines: &Lines<'a>) -> Group<'a> {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut group = Group::with_title(level.primary_title(visible(diagnostic.message.as_bytes())));
    let Some(first) = diagnostic.labels.first() else {
        return finish(group.element(Origin::path(path)), diagnostic);
    };
    let home = lines.number(first.span.start);
    let near = |label: &Label| lines.number(label.span.start).abs_diff(home) <= TOGETHER;
    let (together, apart): (Vec<_>, Vec<_>) = diagnostic.labels.iter().enumerate().partition(|(_, label)| near(label));
    let pieces = std::iter::once(together).chain(apart.into_iter().map(|label| vec![label]));
    for labels in pieces {
        group = piece(group, &labels, path, lines);
    }
    finish(group, diagnostic)
}

fn finish<'a>(group: Group<'a>, diagnostic: &'a Diagnostic) -> Group<'a> {
    match &diagnostic.help {
        Some(help) => group.element(Level::HELP.message(visible(help.as_bytes()))),
        None => group,
    }
}

/// The lines of some labels, with the labels.
fn piece<'a>(group: Group<'a>, labels: &[(usize, &'a Label)], path: &'a str, lines: &Lines<'a>) -> Group<'a> {
    let numbers = labels.iter().map(|(_, label)| lines.number(label.span.start));
    let (Some(first), Some(last)) = (numbers.clone().min(), numbers.max()) else {
        return group;
    };
    let range = lines.start(first)..lines.end(last);
    if (first..=last).any(|number| lines.end(number) - lines.start(number) > LONGEST_LINE) {
        return labels
            .iter()
            .fold(group, |group, label| long_line(group, label, path, lines));
    }
    let source = lines.shown(range.clone());
    let annotations = labels.iter().map(|label| annotation(label, &range, lines));
    group.element(
        Snippet::source(source)
            .path(path)
            .line_start(first + 1)
            .annotations(annotations),
    )
}

/// A label in a line that is too long to be shown.
fn long_line<'a>(group: Group<'a>, label: &(usize, &'a Label), path: &'a str, lines: &Lines<'a>) -> Group<'a> {
    let start = label.1.span.start.min(lines.text.len());
    let number = lines.number(start);
    let before = lines.text.get(lines.start(number)..start).unwrap_or_default();
    let origin = Origin::path(path)
        .line(number + 1)
        .char_column(before.chars().count() + 1);
    let from = lines.boundary(start.saturating_sub(AROUND).max(lines.start(number)));
    let to = lines.boundary(start.saturating_add(AROUND).min(lines.end(number)));
    let source = lines.shown(from..to);
    let annotation = annotation(label, &(from..to), lines);
    group
        .element(origin)
        .element(Snippet::source(source).line_start(number + 1).annotation(annotation))
}

/// A label's place in the text that [`Lines::shown`] gives for `range`; only its first line is underlined.
fn annotation<'a>((index, label): &(usize, &'a Label), range: &Range<usize>, lines: &Lines<'a>) -> Annotation<'a> {
    let start = lines.boundary(label.span.start).clamp(range.start, range.end);
    let line_end = lines
        .content_end(lines.number(start))
        .clamp(start, range.end.max(start));
    let end = lines.boundary(label.span.end).clamp(start, line_end);
    let before = lines.shown(range.start..start).len();
    let length = lines.shown(start..end).len();
    let kind = match index {
        0 => AnnotationKind::Primary,
        _ => AnnotationKind::Context,
    };
    let text = (!label.text.is_empty()).then(|| visible(label.text.as_bytes()));
    kind.span(before..before + length).label(text)
}

/// A text and where its lines begin.
struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    fn new(text: &'a str) -> Self {
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let starts = std::iter::once(0).chain(breaks.map(|(at, _)| at + 1)).collect();
        Self { text, starts }
    }

    /// The line that holds the byte at `offset`, from 0.
    fn number(&self, offset: usize) -> usize {
        self.starts.partition_point(|start| *start <= offset).saturating_sub(1)
    }

    fn start(&self, number: usize) -> usize {
        self.starts.get(number).copied().unwrap_or(self.text.len())
    }

    /// The end of a line, its line break included.
    fn end(&self, number: usize) -> usize {
        self.start(number + 1)
    }

    /// The end of a line without its line break.
    fn content_end(&self, number: usize) -> usize {
        let line = self.text.get(self.start(number)..self.end(number)).unwrap_or_default();
        let content = line.strip_suffix('\n').unwrap_or(line);
        self.start(number) + content.strip_suffix('\r').unwrap_or(content).len()
    }

    /// The last character boundary at or before `offset`.
    fn boundary(&self, offset: usize) -> usize {
        self.text.floor_char_boundary(offset.min(self.text.len()))
    }

    /// The text in `range` as a terminal may show it. Each character has one stand-in, so that columns stay what they are.
    fn shown(&self, range: Range<usize>) -> Cow<'a, str> {
        let text = self.text.get(range).unwrap_or_default();
        // The C0 characters are left to the renderer: it has pictures of them.
        let hidden = |character: char| {
            matches!(
                character,
                '\u{7f}'..='\u{9f}' | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{feff}'
                    | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
            )
        };
        match text.contains(hidden) {
            false => Cow::Borrowed(text),
            true => Cow::Owned(text.replace(hidden, "\u{fffd}")),
        }
    }
}

#[cfg(test)]
mod tests;
