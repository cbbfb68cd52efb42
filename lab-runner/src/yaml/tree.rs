//! A file's shape with the place of every key and value, read from a marked event stream before any value is made.
//!
//! This is where a hostile file ends: nodes and depth are counted with aliases expanded, in one pass and without
//! expanding them. Duplicate keys, tags, several documents and keys that are no text are refused here too.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use saphyr_parser::{Event, Parser, Span};

use super::{DEEPEST, Diagnostic, MOST_MARKS, MOST_NODES, Position, Source};

/// A value's place and, for collections, those of its parts.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) at: Position,
    pub(super) shape: Shape,
}

#[derive(Debug)]
pub(super) enum Shape {
    Scalar,
    Sequence(Vec<Rc<Node>>),
    Mapping(Vec<Field>),
}

#[derive(Debug)]
pub(super) struct Field {
    pub(super) key: String,
    pub(super) key_at: Position,
    pub(super) node: Rc<Node>,
}

/// A node that is complete, with what it costs once expanded.
#[derive(Clone)]
struct Built {
    node: Rc<Node>,
    nodes: usize,
    height: usize,
}

/// A collection that is still open.
struct Open {
    at: Position,
    anchor: usize,
    nodes: usize,
    height: usize,
    parts: Parts,
}

enum Parts {
    Sequence(Vec<Rc<Node>>),
    Mapping { fields: Vec<Field>, keys: HashSet<String>, pending: Option<(String, Position)> },
}

struct Builder<'s> {
    source: &'s Source,
    open: Vec<Open>,
    anchors: HashMap<usize, Built>,
    root: Option<Rc<Node>>,
    total: usize,
    problems: Vec<Diagnostic>,
}

/// Reads a file's shape.
///
/// # Errors
/// Every duplicate key, or the first other problem.
pub(super) fn read(source: &Source) -> Result<Rc<Node>, Vec<Diagnostic>> {
    let marks = source.text.bytes().filter(|byte| matches!(byte, b',' | b':' | b'[' | b'{' | b'\n')).count();
    if marks > MOST_MARKS {
        let message = format!("the file has more than {MOST_MARKS} commas, colons, brackets and line ends");
        return Err(vec![Diagnostic::whole_file(&source.file, message).help("split the file")]);
    }
    let mut builder = Builder {
        source,
        open: Vec::new(),
        anchors: HashMap::new(),
        root: None,
        total: 0,
        problems: Vec::new(),
    };
    let mut documents = 0;
    for event in Parser::new_from_str(&source.text) {
        let step = event
            .map_err(|error| {
                let mark = error.marker();
                let at = position(mark.line(), mark.col());
                builder
                    .error(at, format!("this is not YAML: {}", error.info()))
                    .maybe_help(syntax_help(source, at))
            })
            .and_then(|(event, span)| {
                if matches!(event, Event::DocumentStart(_)) {
                    documents += 1;
                    if documents > 1 {
                        let at = position(span.start.line(), span.start.col());
                        return Err(builder
                            .error(at, "a second document starts here, and a file holds one")
                            .help("cut the file at its `---`"));
                    }
                }
                builder.event(event, span)
            });
        if let Err(problem) = step {
            builder.problems.push(problem);
            return Err(builder.problems);
        }
    }
    if !builder.problems.is_empty() {
        return Err(builder.problems);
    }
    builder.root.ok_or_else(|| {
        vec![
            Diagnostic::whole_file(&source.file, "the file holds nothing but comments")
                .help("`lab schema` shows what goes into one"),
        ]
    })
}

impl Builder<'_> {
    fn error(&self, at: Position, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(&self.source.file, &self.source.text, at, message)
    }

    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), Diagnostic> {
        let at = position(span.start.line(), span.start.col());
        match event {
            Event::Scalar(text, _, anchor, tag) => {
                self.refuse_tag(at, tag.is_some())?;
                self.count(at, 1)?;
                if self.take_key(at, &text)? {
                    return Ok(());
                }
                let built = Built { node: Rc::new(Node { at, shape: Shape::Scalar }), nodes: 1, height: 0 };
                self.finish(built, anchor)
            }
            Event::SequenceStart(anchor, tag) => {
                self.refuse_tag(at, tag.is_some())?;
                self.start(at, anchor, Parts::Sequence(Vec::new()))
            }
            Event::MappingStart(anchor, tag) => {
                self.refuse_tag(at, tag.is_some())?;
                let parts = Parts::Mapping { fields: Vec::new(), keys: HashSet::new(), pending: None };
                self.start(at, anchor, parts)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(open) = self.open.pop() else { return Ok(()) };
                let shape = match open.parts {
                    Parts::Sequence(items) => Shape::Sequence(items),
                    Parts::Mapping { fields, .. } => Shape::Mapping(fields),
                };
                let built = Built {
                    node: Rc::new(Node { at: open.at, shape }),
                    nodes: open.nodes,
                    height: open.height + 1,
                };
                self.finish(built, open.anchor)
            }
            Event::Alias(anchor) => {
                let Some(built) = self.anchors.get(&anchor).cloned() else {
                    return Err(self.error(at, "this alias stands inside its own anchor"));
                };
                if self.expects_key() {
                    return Err(self.key_is_no_text(at));
                }
                if self.open.len() + built.height > DEEPEST {
                    return Err(self.too_deep(at));
                }
                self.count(at, built.nodes)?;
                self.add(built)
            }
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => Ok(()),
        }
    }

    fn count(&mut self, at: Position, nodes: usize) -> Result<(), Diagnostic> {
        self.total = self.total.saturating_add(nodes);
        if self.total > MOST_NODES {
            let message = format!("with its aliases expanded the file has more than {MOST_NODES} values");
            return Err(self
                .error(at, message)
                .help("write out what the aliases stand for, or split the file"));
        }
        Ok(())
    }

    fn start(&mut self, at: Position, anchor: usize, parts: Parts) -> Result<(), Diagnostic> {
        if self.expects_key() {
            return Err(self.key_is_no_text(at));
        }
        self.count(at, 1)?;
        if self.open.len() >= DEEPEST {
            return Err(self.too_deep(at));
        }
        self.open.push(Open { at, anchor, nodes: 1, height: 0, parts });
        Ok(())
    }

    fn finish(&mut self, built: Built, anchor: usize) -> Result<(), Diagnostic> {
        if anchor > 0 {
            self.anchors.insert(anchor, built.clone());
        }
        self.add(built)
    }

    fn add(&mut self, built: Built) -> Result<(), Diagnostic> {
        let Some(open) = self.open.last_mut() else {
            self.root = Some(built.node);
            return Ok(());
        };
        open.nodes = open.nodes.saturating_add(built.nodes);
        open.height = open.height.max(built.height);
        match &mut open.parts {
            Parts::Sequence(items) => items.push(built.node),
            Parts::Mapping { fields, pending, .. } => {
                if let Some((key, key_at)) = pending.take() {
                    fields.push(Field { key, key_at, node: built.node });
                }
            }
        }
        Ok(())
    }

    fn expects_key(&self) -> bool {
        matches!(self.open.last(), Some(Open { parts: Parts::Mapping { pending: None, .. }, .. }))
    }

    /// Takes a scalar as the open mapping's next key, if that is what comes next.
    fn take_key(&mut self, at: Position, text: &str) -> Result<bool, Diagnostic> {
        let Some(Open { parts: Parts::Mapping { keys, pending: pending @ None, fields }, .. }) =
            self.open.last_mut()
        else {
            return Ok(false);
        };
        *pending = Some((text.to_string(), at));
        if !keys.insert(text.to_string()) {
            let first = fields.iter().find(|field| field.key == text).map(|field| field.key_at.line);
            let message = format!("the key `{text}` stands here twice");
            let help = first.map(|line| format!("the first is in line {line}; keep one of them"));
            let problem = self.error(at, message).maybe_help(help);
            if self.problems.len() >= 100 {
                return Err(problem);
            }
            self.problems.push(problem);
        }
        Ok(true)
    }

    fn refuse_tag(&self, at: Position, tagged: bool) -> Result<(), Diagnostic> {
        if tagged {
            return Err(self
                .error(at, "a tag (`!…`) stands here, and none is used")
                .help("if the value itself starts with `!`, put it in quotes"));
        }
        Ok(())
    }

    fn key_is_no_text(&self, at: Position) -> Diagnostic {
        self.error(at, "a key must be plain text").help(
            "if this was meant as a value with `{` or `${` in it, put it in quotes, such as \"${passkey}\"",
        )
    }

    fn too_deep(&self, at: Position) -> Diagnostic {
        self.error(at, format!("more than {DEEPEST} levels are nested here"))
    }
}

/// Saphyr counts lines from 1 and columns from 0.
fn position(line: usize, column: usize) -> Position {
    Position {
        line: u32::try_from(line.max(1)).unwrap_or(u32::MAX),
        column: u32::try_from(column + 1).unwrap_or(u32::MAX),
    }
}

/// Advice for the slips that everybody makes.
fn syntax_help(source: &Source, at: Position) -> Option<String> {
    let lines = || source.text.lines().skip(at.line.saturating_sub(2) as usize).take(3);
    if lines().any(|line| line.starts_with('\t') || line.trim_start_matches(' ').starts_with('\t')) {
        return Some("indent with spaces: YAML allows no tab there".to_owned());
    }
    if lines().any(|line| line.contains("${")) {
        return Some("put a value with `${` in it in quotes, such as \"${passkey}\"".to_owned());
    }
    if lines().any(|line| line.contains("\"") && line.contains('\\')) {
        return Some(
            "in double quotes a backslash is written twice: \"\\\\d+\"; or use single quotes".to_owned(),
        );
    }
    None
}
