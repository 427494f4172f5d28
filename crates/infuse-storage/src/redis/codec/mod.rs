//! What scripts take and answer: [`Verb`]s become arguments, answers and messages become views.

mod arguments;
mod limits;
mod overriding;
mod view;
mod words;

pub(super) use self::{
    arguments::{Arguments, Verb},
    view::{Answer, decode_answers, decode_message},
};
