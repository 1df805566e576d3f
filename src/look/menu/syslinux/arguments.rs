//! The arguments of kernels in a configuration of ISOLINUX, as they are written.

use std::ops::Range;

use super::{PROGRAMS, directive};
use crate::look::menu::arguments::{Arguments, lines, words};
use crate::look::menu::initrds::{self, Initrds};

/// What is known of a label.
#[derive(Default)]
struct Label {
    name: String,
    title: Option<String>,
    kernel: Option<String>,
    /// Behind the line of the kernel, and the blanks that it begins with.
    behind: (usize, String),
    append: Option<Vec<(Range<usize>, Option<String>)>>,
    /// Behind `append`.
    start: usize,
}

/// The arguments of every kernel in the text. A label without arguments of its own has those that stand before all labels; they are given to
/// it in a line of its own.
pub(in crate::look::menu) fn arguments(text: &[u8]) -> Vec<Arguments> {
    let mut found = Vec::new();
    let mut global = String::new();
    let mut label: Option<Label> = None;
    let mut is_help = false;
    for (start, line) in lines(text) {
        let Some((keyword, value)) = directive(line) else {
            continue;
        };
        let first = || {
            let word = value.split(u8::is_ascii_whitespace).next().unwrap_or_default();
            String::from_utf8_lossy(word).into_owned()
        };
        let indent: String = line
            .iter()
            .take_while(|byte| byte.is_ascii_whitespace())
            .map(|&byte| char::from(byte))
            .collect();
        match (keyword.as_str(), &mut label) {
            ("endtext", _) => is_help = false,
            _ if is_help => {}
            ("text", _) => is_help = value.eq_ignore_ascii_case(b"help"),
            ("label", _) => {
                found.extend(label.take().and_then(|label| finished(label, &global)));
                label = Some(Label {
                    name: String::from_utf8_lossy(value).into_owned(),
                    ..Label::default()
                });
            }
            ("append", None) => global = String::from_utf8_lossy(value).into_owned(),
            ("append", Some(label)) => {
                let at = line.iter().take_while(|byte| byte.is_ascii_whitespace()).count() + keyword.len();
                label.start = start + at;
                label.append = Some(words(&line[at..], start + at));
            }
            ("linux", Some(label)) => {
                label.kernel = Some(first());
                label.behind = (start + line.len(), indent);
            }
            ("kernel", Some(label)) => {
                let lower = first().to_ascii_lowercase();
                label.kernel = (!PROGRAMS.iter().any(|end| lower.ends_with(end))).then(first);
                label.behind = (start + line.len(), indent);
            }
            ("com32" | "boot" | "bss" | "pxe" | "fdimage" | "comboot" | "config" | "localboot", Some(label)) => {
                label.kernel = None
            }
            ("menu", Some(label)) => {
                if let Some((keyword, value)) = directive(value)
                    && keyword == "label"
                {
                    label.title = Some(String::from_utf8_lossy(value).replace('^', ""));
                }
            }
            _ => {}
        }
    }
    found.extend(label.and_then(|label| finished(label, &global)));
    found
}

fn finished(label: Label, global: &str) -> Option<Arguments> {
    let kernel = label.kernel?;
    let titles = vec![label.title.unwrap_or(label.name)];
    let is_none = |words: &[(Range<usize>, Option<String>)]| matches!(words, [(_, Some(word))] if word == "-");
    Some(match label.append {
        // `-` stands for no arguments.
        Some(words) if is_none(&words) => Arguments {
            titles,
            kernel,
            free: words
                .first()
                .map_or(label.start..label.start, |(place, _)| place.clone()),
            words: Vec::new(),
            lead: String::new(),
        },
        Some(words) => Arguments {
            titles,
            kernel,
            words,
            free: label.start..label.start,
            lead: " ".into(),
        },
        None => {
            let (behind, indent) = label.behind;
            let global = if global.is_empty() {
                String::new()
            } else {
                format!("{global} ")
            };
            Arguments {
                titles,
                kernel,
                words: Vec::new(),
                free: behind..behind,
                lead: format!("\n{indent}append {global}"),
            }
        }
    })
}

/// Where each label names its initrds, and where they are named for labels that have none of their own: `INITRD a,b`, or `initrd=a,b` among the
/// arguments.
pub(in crate::look::menu) fn initrds(text: &[u8]) -> Vec<Initrds> {
    let mut found: Vec<(Vec<String>, Initrds)> = Vec::new();
    let mut label: Vec<String> = Vec::new();
    let mut is_help = false;
    for (start, line) in lines(text) {
        let Some((keyword, value)) = directive(line) else {
            continue;
        };
        let mut add = |end: usize, list: &str| {
            let last = list.rsplit(',').next().unwrap_or_default();
            let initrds = Initrds {
                titles: Vec::new(),
                end,
                before: format!(",{}", initrds::directory(last)),
                after: "",
            };
            found.push((label.clone(), initrds));
        };
        match keyword.as_str() {
            "endtext" => is_help = false,
            _ if is_help => {}
            "text" => is_help = value.eq_ignore_ascii_case(b"help"),
            "label" => label = vec![String::from_utf8_lossy(value).into_owned()],
            "initrd" => {
                let end = start + line.trim_ascii_end().len();
                add(end, &String::from_utf8_lossy(value));
            }
            "append" => {
                let all = words(line, start);
                let named = all
                    .iter()
                    .rev()
                    .find_map(|(place, word)| Some((place.end, word.as_ref()?.strip_prefix("initrd=")?)));
                if let Some((end, list)) = named {
                    add(end, list);
                }
            }
            "menu" => {
                if let Some((keyword, value)) = directive(value)
                    && keyword == "label"
                    && !label.is_empty()
                {
                    // A label may name its initrds before its title.
                    let title = vec![String::from_utf8_lossy(value).replace('^', "")];
                    for (of, _) in found.iter_mut().rev().take_while(|(of, _)| *of == label) {
                        of.clone_from(&title);
                    }
                    label = title;
                }
            }
            _ => {}
        }
    }
    found
        .into_iter()
        .map(|(titles, initrds)| Initrds { titles, ..initrds })
        .collect()
}
