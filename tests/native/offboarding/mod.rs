//! Offboarding: who is put out when a directory says that they are gone, and who is not when it only seems so.

mod brake;
mod broken;
mod company;
mod doubts;
mod erased;
mod google;
mod organization;
