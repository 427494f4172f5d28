//! What scripts take and answer: [`Verb`]s become arguments, answers and messages become views, or
//! instances.

mod arguments;
mod instances;
mod limits;
mod opening;
mod overriding;
mod texts;
mod view;
mod words;

pub(super) use self::{
    arguments::{Arguments, Verb},
    instances::decode_instances,
    view::{Answer, decode_answers, decode_message},
    words::micros,
};
