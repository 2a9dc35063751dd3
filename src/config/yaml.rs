//! YAML text as a tree whose every node knows where it stands.
//!
//! Scalars stay text as written: `1.10` is a name before it is a number, and what a value means is for
//! its key to say. Duplicate keys are errors. Aliases share what they refer to, so that no text grows when
//! it is read.

use std::collections::HashMap;
use std::rc::Rc;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, Tag};

use super::report::{Mark, Report};

/// A value and where it starts.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) mark: Mark,
    pub(super) value: Value,
}

/// What a node is.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// `~`, `null`, or nothing at all.
    Null,
    /// Any other scalar.
    Text(Rc<str>),
    /// A sequence.
    List(Rc<[Node]>),
    /// A mapping, in the order of the text, without duplicates.
    Map(Rc<[Entry]>),
}

/// A key of a mapping with its value.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) key: Rc<str>,
    pub(super) mark: Mark,
    pub(super) value: Node,
}

/// Why text is no YAML that a configuration could be made of.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum YamlError {
    #[error("not YAML: {0}")]
    Syntax(String),
    #[error("nested deeper than {MAX_DEPTH} levels, which no configuration needs")]
    TooDeep,
    #[error("a key must be plain text, not a list or a mapping")]
    KeyNotText,
    #[error("key `{key}` is given twice, first in line {first}")]
    DuplicateKey { key: Rc<str>, first: usize },
    #[error("a second document starts here, expected one in the file")]
    SecondDocument,
    #[error("tag `{0}` means nothing here, remove it")]
    Tag(String),
    #[error("this alias refers to what contains it")]
    AliasToParent,
}

/// Reads the one document of `text`. An empty file is [`Value::Null`]. `None` after a syntax error, which
/// leaves nothing to go on with.
pub(super) fn parse(text: &str, report: &mut Report<'_>) -> Option<Node> {
    let (tree, whole) = build(text, report);
    whole.then(|| tree.root.unwrap_or(Node { mark: Mark::START, value: Value::Null }))
}

/// The outermost mapping of `text`, up to the first syntax error if there is one, and whether there is none.
pub(super) fn parse_beginning(text: &str, report: &mut Report<'_>) -> (Node, bool) {
    let (tree, whole) = build(text, report);
    let begun = tree.open.into_iter().next().and_then(|open| match open.content {
        Content::Map { entries, .. } => Some(Node { mark: open.mark, value: Value::Map(entries.into()) }),
        Content::List(_) => None,
    });
    (tree.root.or(begun).unwrap_or(Node { mark: Mark::START, value: Value::Null }), whole)
}

/// What can be made of `text`, and whether that is all of it.
fn build(text: &str, report: &mut Report<'_>) -> (Tree, bool) {
    let mut parser = Parser::new_from_str(text);
    let mut tree = Tree { open: Vec::new(), anchors: HashMap::new(), root: None };
    while let Some(next) = parser.next_event() {
        match next {
            Ok((event, span)) => {
                if let Err(error) = tree.take(event, mark_of(span), report) {
                    report.error(mark_of(span), error);
                    return (tree, false);
                }
            }
            Err(error) => {
                let mark = Mark { line: error.marker().line().max(1), column: error.marker().col() };
                report.error(mark, YamlError::Syntax(error.info().to_owned()));
                return (tree, false);
            }
        }
    }
    (tree, true)
}

/// The nodes that have begun and not ended, outermost first, and what is complete.
struct Tree {
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    root: Option<Node>,
}

/// A sequence or mapping that has begun.
struct Open {
    mark: Mark,
    anchor: usize,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    Map {
        entries: Vec<Entry>,
        seen: HashMap<Rc<str>, usize>,
        /// The key whose value comes next; the inner `None` for a key that has been reported.
        key: Option<(Option<Rc<str>>, Mark)>,
    },
}

impl Tree {
    fn take(&mut self, event: Event<'_>, mark: Mark, report: &mut Report<'_>) -> Result<(), YamlError> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                check_tag(tag.as_deref(), mark, report);
                let is_null = style == ScalarStyle::Plain && matches!(&*text, "" | "~" | "null");
                let value = if is_null { Value::Null } else { Value::Text(text.as_ref().into()) };
                self.complete(Node { mark, value }, anchor, report);
            }
            Event::SequenceStart(anchor, tag) => {
                check_tag(tag.as_deref(), mark, report);
                self.open(Open { mark, anchor, content: Content::List(Vec::new()) })?;
            }
            Event::MappingStart(anchor, tag) => {
                check_tag(tag.as_deref(), mark, report);
                let content = Content::Map { entries: Vec::new(), seen: HashMap::new(), key: None };
                self.open(Open { mark, anchor, content })?;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(Open { mark, anchor, content }) = self.open.pop() {
                    let value = match content {
                        Content::List(nodes) => Value::List(nodes.into()),
                        Content::Map { entries, .. } => Value::Map(entries.into()),
                    };
                    self.complete(Node { mark, value }, anchor, report);
                }
            }
            Event::Alias(anchor) => {
                let node = self.anchors.get(&anchor).ok_or(YamlError::AliasToParent)?;
                let value = node.value.clone();
                self.complete(Node { mark, value }, NO_ANCHOR, report);
            }
            Event::DocumentStart(_) if self.root.is_some() => return Err(YamlError::SecondDocument),
            _ => {}
        }
        Ok(())
    }

    fn open(&mut self, open: Open) -> Result<(), YamlError> {
        // A bound on depth is a bound on the recursion that frees the tree.
        if self.open.len() == MAX_DEPTH {
            return Err(YamlError::TooDeep);
        }
        self.open.push(open);
        Ok(())
    }

    fn complete(&mut self, node: Node, anchor: usize, report: &mut Report<'_>) {
        if anchor != NO_ANCHOR {
            self.anchors.insert(anchor, node.clone());
        }
        match self.open.last_mut().map(|open| &mut open.content) {
            None => self.root = Some(node),
            Some(Content::List(nodes)) => nodes.push(node),
            Some(Content::Map { entries, seen, key }) => match key.take() {
                Some((Some(key), mark)) => entries.push(Entry { key, mark, value: node }),
                Some((None, _)) => {}
                None => *key = Some((check_key(&node, seen, report), node.mark)),
            },
        }
    }
}

/// The text of a key that is new in its mapping.
fn check_key(node: &Node, seen: &mut HashMap<Rc<str>, usize>, report: &mut Report<'_>) -> Option<Rc<str>> {
    let key: Rc<str> = match &node.value {
        Value::Text(key) => Rc::clone(key),
        Value::Null => "~".into(),
        Value::List(_) | Value::Map(_) => {
            report.error(node.mark, YamlError::KeyNotText);
            return None;
        }
    };
    if let Some(&first) = seen.get(&key) {
        report.error(node.mark, YamlError::DuplicateKey { key, first });
        return None;
    }
    seen.insert(Rc::clone(&key), node.mark.line);
    Some(key)
}

/// Tags of the core schema say what a value's key says anyway; others ask for what we do not do.
fn check_tag(tag: Option<&Tag>, mark: Mark, report: &mut Report<'_>) {
    if let Some(tag) = tag.filter(|tag| !tag.is_yaml_core_schema()) {
        report.error(mark, YamlError::Tag(tag.to_string()));
    }
}

fn mark_of(span: Span) -> Mark {
    Mark { line: span.start.line().max(1), column: span.start.col() }
}

/// The anchor id that the parser gives to nodes without one.
const NO_ANCHOR: usize = 0;
/// Deeper than any configuration.
const MAX_DEPTH: usize = 32;
