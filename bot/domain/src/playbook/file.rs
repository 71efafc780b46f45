//! A playbook as written. Shapes and keys are checked here; what the values mean is [`super::load`]'s business.

use super::problem::{Code, Place, Problems, nearest};
use super::yaml::Node;
pub use super::yaml::Spanned;

/// A playbook as written; every value knows its place.
#[derive(Debug, Clone, Default)]
pub struct PlaybookFile {
    /// Where the document begins.
    pub place: Place,
    /// `name`
    pub name: Option<Spanned<String>>,
    /// `title`
    pub title: Option<Spanned<String>>,
    /// `summary`
    pub summary: Option<Spanned<String>>,
    /// `article`
    pub article: Option<Spanned<String>>,
    /// `risk`
    pub risk: Option<Spanned<String>>,
    /// `match`
    pub applies: Option<Spanned<MatchFile>>,
    /// `approval`
    pub approval: Option<Spanned<ApprovalFile>>,
    /// `limits`
    pub limits: Option<Spanned<LimitsFile>>,
    /// `rollout`
    pub rollout: Option<Spanned<RolloutFile>>,
    /// `steps`
    pub steps: Option<Spanned<Vec<Spanned<StepFile>>>>,
    /// `verify`
    pub verify: Option<Spanned<VerifyFile>>,
    /// `otherwise`
    pub otherwise: Option<Spanned<OtherwiseFile>>,
}

/// `match`
#[derive(Debug, Clone, Default)]
pub struct MatchFile {
    /// `causes`
    pub causes: Option<Spanned<Vec<Spanned<String>>>>,
    /// `once`
    pub once: Option<Spanned<Vec<Spanned<String>>>>,
    /// `platforms`
    pub platforms: Option<Spanned<Vec<Spanned<String>>>>,
    /// `mdms`
    pub mdms: Option<Spanned<Vec<Spanned<String>>>>,
    /// `when`
    pub when: Option<Spanned<String>>,
}

/// `approval`
#[derive(Debug, Clone, Default)]
pub struct ApprovalFile {
    /// `required`
    pub required: Option<Spanned<i64>>,
    /// `approvers`
    pub approvers: Option<Spanned<Vec<Spanned<String>>>>,
    /// `expires`
    pub expires: Option<Spanned<String>>,
    /// `valid_for`
    pub valid_for: Option<Spanned<String>>,
    /// `self_approval`
    pub self_approval: Option<Spanned<bool>>,
    /// `auto`
    pub auto: Option<Spanned<String>>,
}

/// `limits`
#[derive(Debug, Clone, Default)]
pub struct LimitsFile {
    /// `max_devices`
    pub max_devices: Option<Spanned<i64>>,
    /// `max_percent`
    pub max_percent: Option<Spanned<i64>>,
    /// `cooldown`
    pub cooldown: Option<Spanned<String>>,
    /// `max_attempts`
    pub max_attempts: Option<Spanned<i64>>,
}

/// `rollout`
#[derive(Debug, Clone, Default)]
pub struct RolloutFile {
    /// `waves`
    pub waves: Option<Spanned<Vec<Spanned<SizeFile>>>>,
    /// `gate`
    pub gate: Option<Spanned<String>>,
    /// `gate_within`
    pub gate_within: Option<Spanned<String>>,
    /// `pause_between`
    pub pause_between: Option<Spanned<String>>,
    /// `stop_when_failed`
    pub stop_when_failed: Option<Spanned<SizeFile>>,
}

/// A number of computers, or a share such as `"20%"`.
#[derive(Debug, Clone)]
pub enum SizeFile {
    /// A number.
    Count(i64),
    /// Text.
    Share(String),
}

/// `with`: inputs by name, in the order of the file.
pub type WithFile = Vec<(Spanned<String>, Spanned<String>)>;

/// One entry of `steps`.
#[derive(Debug, Clone, Default)]
pub struct StepFile {
    /// `id`
    pub id: Option<Spanned<String>>,
    /// `action`
    pub action: Option<Spanned<String>>,
    /// `with`
    pub with: Option<Spanned<WithFile>>,
    /// `if`
    pub condition: Option<Spanned<String>>,
    /// `wait_until`
    pub wait_until: Option<Spanned<String>>,
    /// `within`
    pub within: Option<Spanned<String>>,
    /// `on_timeout`
    pub on_timeout: Option<Spanned<String>>,
    /// `on_error`
    pub on_error: Option<Spanned<String>>,
}

/// `verify`
#[derive(Debug, Clone, Default)]
pub struct VerifyFile {
    /// `hops`
    pub hops: Option<Spanned<Vec<Spanned<String>>>>,
    /// `within`
    pub within: Option<Spanned<String>>,
}

/// `otherwise`
#[derive(Debug, Clone, Default)]
pub struct OtherwiseFile {
    /// `escalate`
    pub escalate: Option<Spanned<String>>,
    /// `reason`
    pub reason: Option<Spanned<String>>,
}

/// Reads one kind of value from the tree, telling what is wrong with it.
trait Read: Sized {
    fn read(node: Spanned<Node>, problems: &mut Problems<'_>) -> Option<Self>;
}

fn wrong(place: Place, found: &Node, wanted: &str, problems: &mut Problems<'_>) {
    problems.add(
        place,
        Code::WrongType,
        format!("this is {}, not {wanted}", found.kind()),
        format!("write {wanted}"),
    );
}

impl Read for String {
    fn read(node: Spanned<Node>, problems: &mut Problems<'_>) -> Option<Self> {
        match node.value {
            Node::Text(text) if text.trim().is_empty() => {
                problems.add(
                    node.place,
                    Code::EmptyText,
                    "the text is empty",
                    "write something, or leave the key out",
                );
                None
            }
            Node::Text(text) => Some(text),
            other => {
                wrong(node.place, &other, "text", problems);
                None
            }
        }
    }
}

impl Read for i64 {
    fn read(node: Spanned<Node>, problems: &mut Problems<'_>) -> Option<Self> {
        match node.value {
            Node::Whole(number) => Some(number),
            other => {
                wrong(node.place, &other, "a whole number", problems);
                None
            }
        }
    }
}

impl Read for bool {
    fn read(node: Spanned<Node>, problems: &mut Problems<'_>) -> Option<Self> {
        match node.value {
            Node::Bool(flag) => Some(flag),
            other => {
                wrong(node.place, &other, "true or false", problems);
                None
            }
        }
    }
}

impl Read for SizeFile {
    fn read(node: Spanned<Node>, problems: &mut Problems<'_>) -> Option<Self> {
        match node.value {
            Node::Whole(number) => Some(Self::Count(number)),
            Node::Text(text) => Some(Self::Share(text)),
            other => {
                wrong(
                    node.place,
                    &other,
                    "a number or a share such as \"20%\"",
                    problems,
                );
                None
            }
        }
    }
}

impl<T: Read> Read for Vec<Spanned<T>> {
    fn read(node: Spanned<Node>, problems: &mut Problems<'_>) -> Option<Self> {
        let Node::List(items) = node.value else {
            wrong(node.place, &node.value, "a list", problems);
            return None;
        };
        let read = |item: Spanned<Node>| {
            let place = item.place;
            T::read(item, problems).map(|value| Spanned { value, place })
        };
        Some(items.into_iter().filter_map(read).collect())
    }
}

impl Read for WithFile {
    fn read(node: Spanned<Node>, problems: &mut Problems<'_>) -> Option<Self> {
        let Node::Map(fields) = node.value else {
            wrong(node.place, &node.value, "a mapping", problems);
            return None;
        };
        let read = |(key, value): (Spanned<String>, Spanned<Node>)| {
            let place = value.place;
            String::read(value, problems).map(|value| (key, Spanned { value, place }))
        };
        Some(fields.into_iter().filter_map(read).collect())
    }
}

/// Reads a mapping into a struct: each key once, unknown keys refused with the nearest known one.
macro_rules! read_struct {
    ($name:ident { $($key:literal => $field:ident,)* }) => {
        impl Read for $name {
            fn read(node: Spanned<Node>, problems: &mut Problems<'_>) -> Option<Self> {
                let mapping = node.place;
                let Node::Map(fields) = node.value else {
                    wrong(node.place, &node.value, "a mapping", problems);
                    return None;
                };
                let mut file = Self::default();
                for (key, value) in fields {
                    let place = value.place;
                    match key.value.as_str() {
                        $($key => {
                            problems.saw(mapping, $key);
                            file.$field = Read::read(value, problems).map(|value| Spanned { value, place });
                        })*
                        unknown => {
                            let known = [$($key),*];
                            let hint = match nearest(unknown, known) {
                                Some(near) => format!("did you mean {near}?"),
                                None => format!("known here: {}", known.join(", ")),
                            };
                            problems.add(key.place, Code::UnknownKey, format!("no key {unknown} here"), hint);
                        }
                    }
                }
                Some(file)
            }
        }
    };
}

read_struct!(PlaybookFile {
    "name" => name, "title" => title, "summary" => summary, "article" => article, "risk" => risk,
    "match" => applies, "approval" => approval, "limits" => limits, "rollout" => rollout,
    "steps" => steps, "verify" => verify, "otherwise" => otherwise,
});
read_struct!(MatchFile {
    "causes" => causes, "once" => once, "platforms" => platforms, "mdms" => mdms, "when" => when, });
read_struct!(ApprovalFile {
    "required" => required, "approvers" => approvers, "expires" => expires, "valid_for" => valid_for,
    "self_approval" => self_approval, "auto" => auto,
});
read_struct!(LimitsFile {
    "max_devices" => max_devices, "max_percent" => max_percent, "cooldown" => cooldown,
    "max_attempts" => max_attempts,
});
read_struct!(RolloutFile {
    "waves" => waves, "gate" => gate, "gate_within" => gate_within, "pause_between" => pause_between,
    "stop_when_failed" => stop_when_failed,
});
read_struct!(StepFile {
    "id" => id, "action" => action, "with" => with, "if" => condition, "wait_until" => wait_until,
    "within" => within, "on_timeout" => on_timeout, "on_error" => on_error,
});
read_struct!(VerifyFile { "hops" => hops, "within" => within, });
read_struct!(OtherwiseFile { "escalate" => escalate, "reason" => reason, });

impl PlaybookFile {
    /// Reads the shape of a file; `None` if there is nothing to go on with.
    pub(super) fn read(text: &str, problems: &mut Problems<'_>) -> Option<Self> {
        match super::yaml::parse(text) {
            Ok(root) => {
                let place = root.place;
                Read::read(root, problems).map(|file| Self { place, ..file })
            }
            Err(unreadable) => {
                let hint = match unreadable.code {
                    Code::DuplicateKey => "keep one of them",
                    _ => {
                        "the file must be YAML: mind the indentation, and quote text that holds a colon"
                    }
                };
                problems.add(unreadable.place, unreadable.code, unreadable.message, hint);
                None
            }
        }
    }
}
