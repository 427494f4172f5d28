//! What scripts take and answer: [`Verb`]s become arguments, answers and messages become views.

mod arguments;
mod view;

pub(super) use self::{
    arguments::{Arguments, Verb},
    view::{Answer, decode_answers, decode_message},
};
