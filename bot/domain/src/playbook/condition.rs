//! Conditions of playbooks: a bounded subset of CEL over the facts of one subject. The CEL crate is used here only.
//!
//! Three-valued: whatever is null, absent or fails to evaluate is [`Truth::Unknown`], never false. `&&` and `||` keep
//! CEL's own rule that a decided side decides, so that `false && unknown` is false.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use cel::common::ast::{EntryExpr, Expr, IdedExpr, LiteralValue};
use cel::extractors::This;
use cel::{Context, Env, ExecutionError, Program, Value};
use regex::Regex;

use super::facts::{FactSource, FieldType, field_type};
use super::problem::{Code, nearest};

/// The longest condition, in bytes.
pub const MAX_BYTES: usize = 1024;
/// The longest list, in a condition and in facts.
pub const MAX_LIST: usize = 64;
/// Most patterns of `matches` that are kept compiled.
const MAX_PATTERNS: usize = 256;

/// Outcome of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truth {
    /// It holds.
    True,
    /// It does not.
    False,
    /// A fact it needs is null, absent or of another kind.
    Unknown,
}

/// A condition that was compiled and checked against the field table.
#[derive(Clone)]
pub struct Condition {
    source: Arc<str>,
    program: Arc<Program>,
    /// Sorted.
    fields: Arc<[String]>,
}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Condition").field(&self.source).finish()
    }
}

impl PartialEq for Condition {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}

/// Why a text is no condition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ConditionError {
    /// Code of the problem.
    pub code: Code,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: String,
}

fn error(code: Code, message: impl Into<String>, hint: impl Into<String>) -> ConditionError {
    ConditionError {
        code,
        message: message.into(),
        hint: hint.into(),
    }
}

impl Condition {
    /// Compiles and checks a condition; every problem of it at once.
    pub fn compile(source: &str) -> Result<Self, Vec<ConditionError>> {
        if source.len() > MAX_BYTES {
            return Err(vec![error(
                Code::ConditionTooLong,
                format!("the condition has {} bytes", source.len()),
                format!("at most {MAX_BYTES} bytes; split it over several steps"),
            )]);
        }
        let program = Program::compile(source).map_err(|errors| {
            let text = errors.to_string();
            let first = text
                .lines()
                .find(|line| !line.trim().is_empty())
                .unwrap_or("unreadable")
                .to_owned();
            vec![error(
                Code::ConditionSyntax,
                format!("the condition cannot be read: {first}"),
                "conditions are CEL, for example: subject.match_strength == 'strong'",
            )]
        })?;
        let mut check = Check::default();
        check.visit(program.expression(), &mut Vec::new(), false);
        if check.errors.is_empty() && !may_be_boolean(program.expression()) {
            check.errors.push(error(
                Code::ConditionNotBoolean,
                "the condition is not a yes or no",
                "compare the value with something, for example: subject.stage == 'cert_present'",
            ));
        }
        if check.errors.is_empty() {
            Ok(Self {
                source: source.into(),
                program: Arc::new(program),
                fields: check.fields.into_iter().collect(),
            })
        } else {
            check.errors.dedup();
            Err(check.errors)
        }
    }

    /// The text as authored.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The fields it reads, for example `subject.certificate.state`.
    pub fn fields(&self) -> &[String] {
        &self.fields
    }
}

/// CEL's own functions. Made once: making them takes far longer than evaluating a condition.
static LIBRARY: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib()));

/// Evaluates a condition over facts. Only the fields that it names are looked up.
pub fn evaluate(condition: &Condition, facts: &impl FactSource) -> Truth {
    let mut context = Context::with_env(Arc::clone(&LIBRARY));
    if condition.source.contains("matches") {
        context
            .add_function("matches", matches)
            .expect("the library is built without a `matches` of its own");
    }
    let fields: Vec<(&str, Option<Value>)> = condition
        .fields
        .iter()
        .map(|field| (field.as_str(), facts.fact(field).as_ref().and_then(bind)))
        .collect();
    for (root, value) in tree(&fields) {
        context.add_variable_from_value(root, value);
    }
    match condition.program.execute(&context) {
        Ok(Value::Bool(true)) => Truth::True,
        Ok(Value::Bool(false)) => Truth::False,
        Ok(_) | Err(_) => Truth::Unknown,
    }
}

/// Sorted dotted paths as maps in maps. An unknown value is left out, the maps above it are not.
fn tree(fields: &[(&str, Option<Value>)]) -> HashMap<String, Value> {
    let mut maps = HashMap::new();
    let name_of = |path: &str| path.split('.').next().unwrap_or_default().len();
    for group in fields.chunk_by(|(a, _), (b, _)| a[..name_of(a)] == b[..name_of(b)]) {
        let (path, value) = &group[0];
        let name = path[..name_of(path)].to_owned();
        if name.len() == path.len() {
            maps.extend(value.clone().map(|value| (name, value)));
            continue;
        }
        let below: Vec<(&str, Option<Value>)> = group
            .iter()
            .map(|(path, value)| (&path[name.len() + 1..], value.clone()))
            .collect();
        maps.insert(name, Value::from(tree(&below)));
    }
    maps
}

/// CEL's `matches`. The crate's own compiles its pattern at each call, which takes a thousand times longer than matching.
fn matches(This(text): This<Arc<String>>, pattern: Arc<String>) -> Result<bool, ExecutionError> {
    static COMPILED: LazyLock<Mutex<HashMap<Arc<String>, Option<Regex>>>> =
        LazyLock::new(Mutex::default);
    let regex = {
        let mut compiled = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
        // A pattern may be put together from facts, so there is no end of them.
        if compiled.len() >= MAX_PATTERNS && !compiled.contains_key(&pattern) {
            compiled.clear();
        }
        let compile = || Regex::new(&pattern).ok();
        compiled
            .entry(Arc::clone(&pattern))
            .or_insert_with(compile)
            .clone()
    };
    match regex {
        Some(regex) => Ok(regex.is_match(&text)),
        None => Err(ExecutionError::function_error(
            "matches",
            "the pattern cannot be read",
        )),
    }
}

/// The fields of a condition that are null or absent in these facts: why it is unknown.
pub fn unknown_fields(condition: &Condition, facts: &impl FactSource) -> Vec<String> {
    let missing = |field: &&String| facts.fact(field).is_none();
    condition.fields.iter().filter(missing).cloned().collect()
}

/// JSON as CEL sees it. Nulls are left out, so that reading one is an error and with it unknown; whole numbers are
/// signed, because CEL does not mix signed and unsigned ones.
fn bind(value: &serde_json::Value) -> Option<Value> {
    match value {
        serde_json::Value::Null => None,
        serde_json::Value::Bool(flag) => Some(Value::Bool(*flag)),
        serde_json::Value::Number(number) => match number.as_i64() {
            Some(whole) => Some(Value::Int(whole)),
            None => number.as_f64().map(Value::Float),
        },
        serde_json::Value::String(text) => Some(Value::from(text.as_str())),
        serde_json::Value::Array(items) => {
            let items: Vec<Value> = items.iter().take(MAX_LIST).filter_map(bind).collect();
            Some(Value::List(Arc::new(items)))
        }
        serde_json::Value::Object(fields) => {
            let fields: HashMap<String, Value> = fields
                .iter()
                .filter_map(|(name, field)| Some((name.clone(), bind(field)?)))
                .collect();
            Some(Value::from(fields))
        }
    }
}

/// Functions and operators that a condition may call, as CEL names them.
const FUNCTIONS: &[&str] = &[
    "_&&_",
    "_||_",
    "!_",
    "_?_:_",
    "_==_",
    "_!=_",
    "_<_",
    "_<=_",
    "_>_",
    "_>=_",
    "_+_",
    "_-_",
    "_*_",
    "_/_",
    "_%_",
    "-_",
    "_[_]",
    "@in",
    "size",
    "contains",
    "startsWith",
    "endsWith",
    "matches",
    "int",
    "double",
    "string",
    "@not_strictly_false",
];

/// Whether a result can be true or false at all, as far as its outermost shape tells.
fn may_be_boolean(expression: &IdedExpr) -> bool {
    match &expression.expr {
        Expr::Literal(literal) => matches!(literal, LiteralValue::Boolean(_)),
        Expr::Call(call) => !matches!(
            call.func_name.as_str(),
            "_+_" | "_-_" | "_*_" | "_/_" | "_%_" | "-_" | "size" | "int" | "double" | "string"
        ),
        Expr::List(_) | Expr::Map(_) | Expr::Struct(_) | Expr::Unspecified => false,
        Expr::Select(select) if select.test => true,
        Expr::Select(_) | Expr::Ident(_) => path_of(&expression.expr)
            .and_then(|path| field_type(&path))
            .is_none_or(|kind| kind == FieldType::Bool),
        Expr::Comprehension(_) => true,
    }
}

/// `a.b.c` of a plain selection.
fn path_of(expression: &Expr) -> Option<String> {
    match expression {
        Expr::Ident(name) => Some(name.clone()),
        Expr::Select(select) => Some(format!(
            "{}.{}",
            path_of(&select.operand.expr)?,
            select.field
        )),
        _ => None,
    }
}

#[derive(Default)]
struct Check {
    errors: Vec<ConditionError>,
    fields: BTreeSet<String>,
}

impl Check {
    fn visit(&mut self, expression: &IdedExpr, bound: &mut Vec<String>, inside: bool) {
        match &expression.expr {
            Expr::Ident(_) | Expr::Select(_) => self.visit_path(&expression.expr, bound, inside),
            Expr::Call(call) => {
                if !FUNCTIONS.contains(&call.func_name.as_str()) {
                    let hint = match nearest(&call.func_name, FUNCTIONS.iter().copied()) {
                        Some(known) => format!("did you mean {known}?"),
                        None => "size, contains, startsWith, endsWith, matches, int, double, string, has, exists and all are known".to_owned(),
                    };
                    self.errors.push(error(
                        Code::ConditionUnknownFunction,
                        format!("no function {}", call.func_name),
                        hint,
                    ));
                }
                for part in call.target.as_deref().into_iter().chain(&call.args) {
                    self.visit(part, bound, inside);
                }
            }
            Expr::List(list) => {
                if list.elements.len() > MAX_LIST {
                    self.errors.push(error(
                        Code::ConditionListTooLong,
                        format!("a list of {} entries", list.elements.len()),
                        format!("at most {MAX_LIST} entries"),
                    ));
                }
                for element in &list.elements {
                    self.visit(element, bound, inside);
                }
            }
            Expr::Comprehension(comprehension) => {
                if inside {
                    self.errors.push(error(
                        Code::ConditionTooDeep,
                        "one exists, all, map or filter stands inside another",
                        "use one of them at a time",
                    ));
                }
                self.visit(&comprehension.iter_range, bound, inside);
                let before = bound.len();
                bound.push(comprehension.iter_var.clone());
                bound.push(comprehension.accu_var.clone());
                bound.extend(comprehension.iter_var2.clone());
                for part in [
                    &comprehension.accu_init,
                    &comprehension.loop_cond,
                    &comprehension.loop_step,
                    &comprehension.result,
                ] {
                    self.visit(part, bound, true);
                }
                bound.truncate(before);
            }
            Expr::Map(map) => self.visit_entries(&map.entries, bound, inside),
            Expr::Struct(object) => self.visit_entries(&object.entries, bound, inside),
            Expr::Literal(_) | Expr::Unspecified => {}
        }
    }

    fn visit_entries(
        &mut self,
        entries: &[cel::common::ast::IdedEntryExpr],
        bound: &mut Vec<String>,
        inside: bool,
    ) {
        for entry in entries {
            match &entry.expr {
                EntryExpr::StructField(field) => self.visit(&field.value, bound, inside),
                EntryExpr::MapEntry(entry) => {
                    self.visit(&entry.key, bound, inside);
                    self.visit(&entry.value, bound, inside);
                }
            }
        }
    }

    fn visit_path(&mut self, expression: &Expr, bound: &mut Vec<String>, inside: bool) {
        let Some(path) = path_of(expression) else {
            if let Expr::Select(select) = expression {
                self.visit(&select.operand, bound, inside);
            }
            return;
        };
        let root = path.split('.').next().unwrap_or_default();
        if bound.iter().any(|name| name == root) {
            return;
        }
        match field_type(&path) {
            Some(FieldType::Object) | None => {
                let known: Vec<String> = super::facts::paths().collect();
                let hint = match nearest(&path, known.iter().map(String::as_str)) {
                    Some(near) => format!("did you mean {near}?"),
                    None => "playbooks/README.md lists the fields".to_owned(),
                };
                self.errors.push(error(
                    Code::ConditionUnknownField,
                    format!("no field {path}"),
                    hint,
                ));
            }
            Some(_) => {
                self.fields.insert(path);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn truth(source: &str, facts: serde_json::Value) -> Truth {
        evaluate(
            &Condition::compile(source).unwrap(),
            &json!({ "subject": facts }),
        )
    }

    fn codes(source: &str) -> Vec<Code> {
        Condition::compile(source)
            .unwrap_err()
            .into_iter()
            .map(|error| error.code)
            .collect()
    }

    #[test]
    fn known_facts_decide() {
        let facts = json!({"match_strength": "strong", "mdm_device": {"last_check_in_hours": 5}, "user": {"reachable": true}});
        let when = "subject.match_strength == \"strong\" && subject.mdm_device.last_check_in_hours < 72.0 && subject.user.reachable";
        assert_eq!(truth(when, facts.clone()), Truth::True);
        assert_eq!(
            truth("subject.mdm_device.last_check_in_hours > 72", facts.clone()),
            Truth::False
        );
        assert_eq!(
            truth("subject.mdm_device.last_check_in_hours + 1 == 6", facts),
            Truth::True
        );
    }

    #[test]
    fn a_pattern_is_searched_anywhere_in_either_form_and_a_broken_one_is_unknown() {
        let facts = json!({"mdm_device": {"profile_error": "The request timed out"}});
        for (when, wanted) in [
            (
                "subject.mdm_device.profile_error.matches('(?i)TIMED? out')",
                Truth::True,
            ),
            (
                "matches(subject.mdm_device.profile_error, '^timed')",
                Truth::False,
            ),
            (
                "subject.mdm_device.profile_error.matches('(out')",
                Truth::Unknown,
            ),
        ] {
            // Twice: the second time from the kept pattern.
            assert_eq!(truth(when, facts.clone()), wanted, "{when}");
            assert_eq!(truth(when, facts.clone()), wanted, "{when}");
        }
        let silent = json!({"mdm_device": {"profile_error": null}});
        let when = "subject.mdm_device.profile_error.matches('out')";
        assert_eq!(truth(when, silent), Truth::Unknown);
    }

    #[test]
    fn null_and_absent_facts_are_unknown_even_when_compared_for_difference() {
        for facts in [
            json!({"certificate": {"state": null}}),
            json!({"certificate": {}}),
            json!({}),
        ] {
            assert_eq!(
                truth("subject.certificate.state != 'valid'", facts.clone()),
                Truth::Unknown
            );
            assert_eq!(
                truth("subject.certificate.state == 'valid'", facts.clone()),
                Truth::Unknown
            );
            assert_eq!(
                truth("!(subject.certificate.state == 'valid')", facts),
                Truth::Unknown
            );
        }
    }

    #[test]
    fn a_decided_side_decides_over_an_unknown_one() {
        let facts = json!({"blocked": false, "user": {"reachable": null}});
        assert_eq!(
            truth("subject.blocked && subject.user.reachable", facts.clone()),
            Truth::False
        );
        assert_eq!(
            truth("subject.user.reachable && subject.blocked", facts.clone()),
            Truth::False
        );
        assert_eq!(
            truth("!subject.blocked || subject.user.reachable", facts.clone()),
            Truth::True
        );
        assert_eq!(
            truth("!subject.blocked && subject.user.reachable", facts),
            Truth::Unknown
        );
    }

    #[test]
    fn a_value_of_another_kind_is_unknown() {
        assert_eq!(
            truth(
                "subject.certificate.expires_in_days < 3",
                json!({"certificate": {"expires_in_days": "soon"}})
            ),
            Truth::Unknown
        );
    }

    #[test]
    fn asking_whether_a_fact_is_known_is_itself_never_unknown() {
        for facts in [json!({"user": {"reachable": null}}), json!({})] {
            assert_eq!(
                truth("has(subject.user.reachable)", facts.clone()),
                Truth::False
            );
            assert_eq!(
                truth(
                    "!has(subject.user.reachable) || subject.user.reachable",
                    facts
                ),
                Truth::True
            );
        }
    }

    #[test]
    fn unknown_fields_are_named() {
        let condition = Condition::compile("subject.blocked && subject.user.reachable").unwrap();
        assert_eq!(
            unknown_fields(
                &condition,
                &json!({"subject": {"blocked": true, "user": {"reachable": null}}})
            ),
            ["subject.user.reachable"]
        );
    }

    #[test]
    fn a_misspelt_field_is_found_at_load_with_the_right_one() {
        let errors = Condition::compile("subject.certificate.stat == 'valid'").unwrap_err();
        assert_eq!(errors[0].code, Code::ConditionUnknownField);
        assert_eq!(errors[0].hint, "did you mean subject.certificate.state?");
        assert_eq!(codes("device.managed"), [Code::ConditionUnknownField]);
        assert_eq!(codes("subject.user"), [Code::ConditionUnknownField]);
        assert_eq!(
            codes("has(subject.user.nickname)"),
            [Code::ConditionUnknownField]
        );
    }

    #[test]
    fn what_is_unbounded_or_no_condition_is_refused() {
        assert_eq!(
            codes(&format!("subject.stage == '{}'", "x".repeat(MAX_BYTES))),
            [Code::ConditionTooLong]
        );
        let list = (0..=MAX_LIST)
            .map(|n| format!("'{n}'"))
            .collect::<Vec<_>>()
            .join(",");
        assert_eq!(
            codes(&format!("subject.stage in [{list}]")),
            [Code::ConditionListTooLong]
        );
        assert_eq!(
            codes("['a'].exists(x, ['b'].exists(y, x == y))"),
            [Code::ConditionTooDeep]
        );
        assert_eq!(codes("subject.stage =="), [Code::ConditionSyntax]);
        assert_eq!(codes("subject.stage"), [Code::ConditionNotBoolean]);
        assert_eq!(codes("size(subject.stage)"), [Code::ConditionNotBoolean]);
        assert_eq!(
            codes("reboot(subject.stage)"),
            [Code::ConditionUnknownFunction]
        );
        assert!(Condition::compile("['a', 'b'].exists(x, x == subject.stage)").is_ok());
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(source in ".{0,200}") {
            if let Ok(condition) = Condition::compile(&source) {
                evaluate(&condition, &json!({"subject": {}}));
            }
        }
    }
}
