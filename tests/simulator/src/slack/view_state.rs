//! Views in the state: built, replaced, stacked.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::blocks;
use super::model::{View, ViewKind};
use super::state::State;

impl State {
    /// Builds a view from what the app sent.
    pub(super) fn make_view(&mut self, user: &str, kind: ViewKind, mut content: Value) -> View {
        let mut list = content["blocks"].as_array().cloned().unwrap_or_default();
        self.fill_ids(&mut list);
        let values = blocks::initial_values(&list);
        content["blocks"] = json!(list);
        let id = self.next_id("V");
        View {
            root_view_id: id.clone(),
            id,
            user: user.to_owned(),
            kind,
            content,
            hash: self.next_hash(),
            previous_view_id: None,
            errors: BTreeMap::new(),
            values,
        }
    }

    pub(super) fn next_hash(&mut self) -> String {
        let token = self.next_token();
        format!("{}.{}", &token[8..16], &token[..8])
    }

    /// Replaces what a view shows. Inputs that are still there keep what was filled in.
    pub(super) fn replace_view(&mut self, id: &str, mut content: Value) -> Option<View> {
        let mut list = content["blocks"].as_array().cloned().unwrap_or_default();
        self.fill_ids(&mut list);
        let hash = self.next_hash();
        let view = self.view_mut(id)?;
        let mut values = blocks::initial_values(&list);
        for (block_id, actions) in &mut values {
            for (action_id, value) in actions.as_object_mut().into_iter().flatten() {
                let old = &view
                    .values
                    .get(block_id)
                    .map_or(&Value::Null, |block| &block[action_id]);
                if old["type"] == value["type"] && !blocks::is_empty_value(old) {
                    *value = (*old).clone();
                }
            }
        }
        content["blocks"] = json!(list);
        view.content = content;
        view.values = values;
        view.errors.clear();
        view.hash = hash;
        Some(view.clone())
    }

    pub(super) fn view_mut(&mut self, id: &str) -> Option<&mut View> {
        let modals = self.modals.values_mut().flatten();
        modals
            .chain(self.homes.values_mut())
            .find(|view| view.id == id)
    }

    pub(super) fn view(&self, id: &str) -> Option<&View> {
        self.modals
            .values()
            .flatten()
            .chain(self.homes.values())
            .find(|view| view.id == id)
    }

    /// Puts a modal on top of a person's stack.
    pub(super) fn stack_modal(&mut self, mut view: View) -> Result<View, &'static str> {
        let stack = self.modals.entry(view.user.clone()).or_default();
        if stack.len() >= 3 {
            return Err("push_limit_reached");
        }
        if let Some(below) = stack.last() {
            view.previous_view_id = Some(below.id.clone());
            view.root_view_id.clone_from(&below.root_view_id);
        }
        stack.push(view.clone());
        Ok(view)
    }
}
