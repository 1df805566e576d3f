//! The commands of a GRUB script (GRUB manual, "Shell-like scripting"), as they nest.
//!
//! GRUB runs a file command by command, so one that it cannot read spoils none before it. This reader goes on behind it, too.

use std::rc::Rc;

use super::words::{Token, Word, tokens};

/// How deep commands may nest.
const DEPTH: usize = 64;

/// Commands in their order.
pub(crate) type Commands = Rc<Vec<Command>>;

/// One command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Words, and for `menuentry` and `submenu` what is in braces behind them.
    Simple { words: Vec<Word>, block: Option<Commands> },
    /// `if`, and each `elif`: a condition and what is done; then `else`.
    If {
        branches: Vec<(Commands, Commands)>,
        otherwise: Commands,
    },
    /// `for`
    For {
        name: Vec<u8>,
        values: Vec<Word>,
        body: Commands,
    },
    /// `while` and `until`
    Loop { body: Commands },
    /// `function`
    Function { name: Vec<u8>, body: Commands },
}

/// A file of commands.
#[derive(Debug, Default)]
pub(crate) struct Script {
    pub(crate) commands: Commands,
    /// Syntax errors: offset in the text, and a description.
    pub(crate) faults: Vec<(usize, &'static str)>,
}

/// Reads a file.
pub(crate) fn parse(text: &[u8]) -> Script {
    let mut parser = Parser {
        tokens: tokens(text),
        at: 0,
        depth: 0,
        faults: Vec::new(),
    };
    let mut commands = Vec::new();
    loop {
        commands.append(&mut parser.list());
        // What ends a list that was not begun.
        match parser.peek() {
            None => break,
            Some(_) => parser.fault("closes what is not open"),
        }
        parser.at += 1;
    }
    Script {
        commands: Rc::new(commands),
        faults: parser.faults,
    }
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
    faults: Vec<(usize, &'static str)>,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn fault(&mut self, what: &'static str) {
        let words = self.tokens[..self.tokens.len().min(self.at + 1)].iter().rev();
        let place = words.clone().find_map(|token| match token {
            Token::Word(word) => Some(word.place.start),
            _ => None,
        });
        if self.faults.len() < 16 {
            self.faults.push((place.unwrap_or(0), what));
        }
    }

    /// The next token as a word without quotes and variables: one that can be reserved.
    fn bare(&self) -> Option<&str> {
        let Some(Token::Word(word)) = self.peek() else {
            return None;
        };
        let text = word.plain().filter(|text| text.len() == word.place.len())?;
        str::from_utf8(text).ok()
    }

    fn ends(&mut self) {
        while self.peek() == Some(&Token::End) {
            self.at += 1;
        }
    }

    /// Takes a reserved word.
    fn expect(&mut self, word: &str, what: &'static str) {
        self.ends();
        match self.bare() == Some(word) {
            true => self.at += 1,
            false => self.fault(what),
        }
    }

    /// Commands up to a word that ends some list, a brace that closes, or the end.
    fn list(&mut self) -> Vec<Command> {
        let mut commands = Vec::new();
        loop {
            self.ends();
            match self.peek() {
                None | Some(Token::Close) => return commands,
                Some(Token::Open) => {
                    let block = self.block();
                    commands.extend(block.iter().flat_map(|block| block.iter().cloned()));
                }
                Some(_) => match self.bare() {
                    Some("then" | "elif" | "else" | "fi" | "do" | "done") => return commands,
                    _ => commands.extend(self.command()),
                },
            }
        }
    }

    fn nested(&mut self) -> Vec<Command> {
        self.depth += 1;
        let commands = match self.depth > DEPTH {
            true => {
                self.fault("is nested deeper than is read");
                self.at = self.tokens.len();
                Vec::new()
            }
            false => self.list(),
        };
        self.depth -= 1;
        commands
    }

    fn command(&mut self) -> Option<Command> {
        match self.bare() {
            Some("if") => Some(self.conditional()),
            Some("for") => Some(self.each()),
            Some("while" | "until") => {
                self.at += 1;
                self.nested();
                Some(Command::Loop { body: self.done() })
            }
            Some("function") => {
                self.at += 1;
                let name = self.word().and_then(|word| word.plain().map(<[u8]>::to_vec));
                self.ends();
                let body = self.block().unwrap_or_default();
                Some(Command::Function {
                    name: name.unwrap_or_default(),
                    body,
                })
            }
            _ => self.simple(),
        }
    }

    fn word(&mut self) -> Option<Word> {
        match self.peek() {
            Some(Token::Word(word)) => {
                let word = word.clone();
                self.at += 1;
                Some(word)
            }
            _ => None,
        }
    }

    fn words(&mut self) -> Vec<Word> {
        std::iter::from_fn(|| self.word()).collect()
    }

    fn conditional(&mut self) -> Command {
        let mut branches = Vec::new();
        let mut otherwise = Commands::default();
        while let Some("if" | "elif") = self.bare() {
            self.at += 1;
            let condition = Rc::new(self.nested());
            self.expect("then", "has no `then`");
            let body = Rc::new(self.nested());
            branches.push((condition, body));
        }
        if self.bare() == Some("else") {
            self.at += 1;
            otherwise = Rc::new(self.nested());
        }
        self.expect("fi", "has no `fi`");
        Command::If { branches, otherwise }
    }

    fn each(&mut self) -> Command {
        self.at += 1;
        let name = self.word().and_then(|word| word.plain().map(<[u8]>::to_vec));
        let mut values = self.words();
        if values.first().and_then(Word::plain) == Some(b"in") {
            values.remove(0);
        }
        Command::For {
            name: name.unwrap_or_default(),
            values,
            body: self.done(),
        }
    }

    /// `do`, commands, `done`
    fn done(&mut self) -> Commands {
        self.expect("do", "has no `do`");
        let body = Rc::new(self.nested());
        self.expect("done", "has no `done`");
        body
    }

    /// Words, and a block if there is one.
    fn simple(&mut self) -> Option<Command> {
        let words = self.words();
        let block = self.block();
        (!words.is_empty()).then_some(Command::Simple { words, block })
    }

    /// Commands in braces.
    fn block(&mut self) -> Option<Commands> {
        if self.peek() != Some(&Token::Open) {
            return None;
        }
        self.at += 1;
        let mut commands = Vec::new();
        loop {
            commands.append(&mut self.nested());
            match self.peek() {
                Some(Token::Close) => break,
                Some(_) => self.fault("closes what is not open"),
                None => {
                    self.fault("has no closing brace");
                    break;
                }
            }
            self.at += 1;
        }
        self.at += 1;
        Some(Rc::new(commands))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The commands in one line: blocks in braces.
    fn shown(commands: &Commands) -> String {
        let words = |words: &[Word]| {
            let words = words
                .iter()
                .map(|word| String::from_utf8_lossy(word.plain().unwrap_or(b"?")).into_owned());
            words.collect::<Vec<_>>().join(" ")
        };
        let command = |command: &Command| match command {
            Command::Simple {
                words: all,
                block: None,
            } => words(all),
            Command::Simple {
                words: all,
                block: Some(block),
            } => format!("{}{{{}}}", words(all), shown(block)),
            Command::If { branches, otherwise } => {
                let branches = branches
                    .iter()
                    .map(|(condition, body)| format!("if({}){{{}}}", shown(condition), shown(body)));
                format!("{}else{{{}}}", branches.collect::<String>(), shown(otherwise))
            }
            Command::For { name, values, body } => {
                format!(
                    "for {}({}){{{}}}",
                    String::from_utf8_lossy(name),
                    words(values),
                    shown(body)
                )
            }
            Command::Loop { body } => format!("loop{{{}}}", shown(body)),
            Command::Function { name, body } => format!("fn {}{{{}}}", String::from_utf8_lossy(name), shown(body)),
        };
        commands.iter().map(command).collect::<Vec<_>>().join(";")
    }

    #[test]
    fn commands_nest_as_grub_nests_them() {
        for (text, wanted) in [
            ("a b; c\nd", "a b;c;d"),
            (
                "menuentry x --class y {\n linux /k a\n}\nz",
                "menuentry x --class y{linux /k a};z",
            ),
            ("submenu s {\nmenuentry a { b; }\n}", "submenu s{menuentry a{b}}"),
            (
                "if [ a = b ] ; then\n c\nelif d; then e; else f; fi; g",
                "if([ a = b ]){c}if(d){e}else{f};g",
            ),
            ("if a; then if b; then c; fi; fi", "if(a){if(b){c}else{}}else{}"),
            ("for i in 1 2; do a; done\nb", "for i(1 2){a};b"),
            ("while a; do b; done; until c; do d; done", "loop{b};loop{d}"),
            ("function f {\n a\n}\nf", "fn f{a};f"),
            ("echo if fi; 'if' x", "echo if fi;if x"),
        ] {
            let script = parse(text.as_bytes());
            assert_eq!(shown(&script.commands), wanted, "{text}");
            assert_eq!(script.faults, [], "{text}");
        }
    }

    #[test]
    fn what_is_wrong_spoils_nothing_behind_it() {
        for (text, wanted) in [
            ("}\na", "a"),
            ("fi\na", "a"),
            ("menuentry a {\n linux /k", "menuentry a{linux /k}"),
            ("if a; then b\n", "if(a){b}else{}"),
            ("menuentry a {\n b\n fi\n c\n}\nd", "menuentry a{b;c};d"),
            ("if a\n b\nfi; c", "if(a;b){}else{};c"),
        ] {
            let script = parse(text.as_bytes());
            assert_eq!(shown(&script.commands), wanted, "{text}");
            assert!(!script.faults.is_empty(), "{text}");
        }
        let deep = parse(&b"x {\n".repeat(100_000));
        assert!(!deep.faults.is_empty() && deep.faults.len() <= 16);
        parse(&b"if ".repeat(100_000));
        parse(&b"if;then ".repeat(100_000));
    }
}
