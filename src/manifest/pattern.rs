//! Regular expressions for what a machine shows. Without the feature `vm` no machine shows anything: they are not compiled, nor checked.

#[cfg(feature = "vm")]
mod compiled {
    use regex::RegexBuilder;

    /// A regular expression in which `^` and `$` are the ends of a line.
    pub type Pattern = regex::Regex;

    /// Compiles a regular expression.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn expression(text: &str) -> Result<Pattern, String> {
        let built = RegexBuilder::new(text).multi_line(true).build();
        built.map_err(|error| {
            // A picture of the place comes before the sentence.
            let error = error.to_string();
            let sentence = error.lines().last().unwrap_or_default();
            format!(
                "{text:?} is no regular expression: {}",
                sentence.trim_start_matches("error: ")
            )
        })
    }
}

#[cfg(not(feature = "vm"))]
mod unread {
    /// A regular expression that is not looked at.
    #[derive(Clone, Debug)]
    pub struct Pattern;

    /// Takes any text.
    ///
    /// # Errors
    /// None: only a machine's output needs the expression.
    pub fn expression(_text: &str) -> Result<Pattern, String> {
        Ok(Pattern)
    }
}

#[cfg(feature = "vm")]
pub use compiled::{Pattern, expression};
#[cfg(not(feature = "vm"))]
pub use unread::{Pattern, expression};
