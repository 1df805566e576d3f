//! Faults of a manifest, each with the place in its text.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use crate::ground::text::{visible, visible_path};

/// Whether a fault ends the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// Nothing is built.
    Error,
    /// The image is built as asked; the user should know.
    Warning,
}

/// A place in the text and what to say of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Bytes of the manifest's text.
    pub span: Range<usize>,
    /// Written beside the underlined text; may be empty.
    pub text: String,
}

/// One fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Whether it ends the run.
    pub severity: Severity,
    /// What is wrong, in one line.
    pub message: String,
    /// Where. The first gives the line and column; the others are the places it has to do with.
    pub labels: Vec<Label>,
    /// What to write instead.
    pub help: Option<String>,
}

impl Diagnostic {
    /// An error at `span`, if there is a place to show.
    pub fn error(message: impl Into<String>, span: impl Into<Option<Range<usize>>>, label: impl Into<String>) -> Self {
        let diagnostic = Self {
            severity: Severity::Error,
            message: message.into(),
            labels: Vec::new(),
            help: None,
        };
        diagnostic.with_label(span, label)
    }

    /// A warning at `span`, if there is a place to show.
    pub fn warning(
        message: impl Into<String>,
        span: impl Into<Option<Range<usize>>>,
        label: impl Into<String>,
    ) -> Self {
        Diagnostic {
            severity: Severity::Warning,
            ..Self::error(message, span, label)
        }
    }

    /// The same with advice.
    pub fn with_help(self, help: impl Into<String>) -> Diagnostic {
        Diagnostic {
            help: Some(help.into()),
            ..self
        }
    }

    /// The same with a further place, if there is one to show.
    #[must_use]
    pub fn with_label(mut self, span: impl Into<Option<Range<usize>>>, text: impl Into<String>) -> Self {
        if let Some(span) = span.into() {
            let text = text.into();
            self.labels.push(Label { span, text });
        }
        self
    }

    /// Where the first label begins: the order of diagnostics is that of the text.
    pub fn offset(&self) -> usize {
        self.labels.first().map_or(0, |label| label.span.start)
    }
}

/// The faults of one manifest.
#[derive(Clone, Debug)]
pub struct Report {
    /// The manifest, as the user named it.
    pub path: PathBuf,
    /// Its text.
    pub text: Arc<str>,
    /// What is wrong with it.
    pub diagnostics: Vec<Diagnostic>,
}

impl Report {
    /// What the user should know.
    pub fn warnings(&self) -> Vec<String> {
        let warnings = self.diagnostics.iter();
        let warnings = warnings.filter(|diagnostic| diagnostic.severity == Severity::Warning);
        warnings.map(|warning| warning.message.clone()).collect()
    }

    /// Whether any fault ends the run.
    pub fn has_errors(&self) -> bool {
        self.diagnostics
            .iter()
            .any(|diagnostic| diagnostic.severity == Severity::Error)
    }

    /// The line and the column of a byte of the text, each from 1; a column is a character.
    pub fn place(&self, offset: usize) -> (usize, usize) {
        let before = self
            .text
            .get(..self.text.floor_char_boundary(offset))
            .unwrap_or(&self.text);
        let line = before.rsplit_once('\n').map_or(before, |(_, line)| line);
        (1 + before.matches('\n').count(), 1 + line.chars().count())
    }
}

/// A line for each; the command line underlines their places instead.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, diagnostic) in self.diagnostics.iter().enumerate() {
            let before = if number == 0 { "" } else { "\n" };
            write!(f, "{before}{}", visible_path(&self.path))?;
            if let Some(label) = diagnostic.labels.first() {
                let (line, column) = self.place(label.span.start);
                write!(f, ":{line}:{column}")?;
            }
            let severity = match diagnostic.severity {
                Severity::Error => "",
                Severity::Warning => "warning: ",
            };
            write!(f, ": {severity}{}", visible(diagnostic.message.as_bytes()))?;
            for (number, label) in diagnostic.labels.iter().enumerate() {
                let text = visible(label.text.as_bytes());
                match number {
                    _ if text.is_empty() => {}
                    0 => write!(f, " ({text})")?,
                    _ => write!(f, " (line {}: {text})", self.place(label.span.start).0)?,
                }
            }
            if let Some(help) = &diagnostic.help {
                write!(f, "; {}", visible(help.as_bytes()))?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for Report {}
