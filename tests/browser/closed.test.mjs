// The pages of a house that is closed, or not set up.

import assert from "node:assert/strict";
import { test } from "node:test";
import { House, sees } from "./support.mjs";

test("any project status but 'live' pauses claims, in words, on both pages (S4-20)", async () => {
  const house = await House.open({ vars: { PROJECT_STATUS: "Live!" } });
  try {
    const visitor = await house.visitor();
    await visitor.open("/");
    await sees(visitor.page, "Claims are paused.");
    await visitor.page.getByRole("link", { name: "Continue with GitHub" }).waitFor();
    await visitor.signIn("member");
    await sees(visitor.page, "Claims are paused.");
    assert.equal(await visitor.claimButton.count(), 0);
    await visitor.leave();
  } finally {
    await house.close();
  }
});

test("without GitHub credentials the landing page still stands and says what is missing (S4-10)", async () => {
  const house = await House.open({ vars: { GITHUB_OAUTH_CLIENT_ID: undefined, GITHUB_OAUTH_CLIENT_SECRET: undefined } });
  try {
    const visitor = await house.visitor();
    await visitor.open("/");
    await sees(visitor.page, "Sign-in is not set up here.");
    assert.equal(await visitor.page.getByRole("link", { name: "Continue with GitHub" }).count(), 0);
    await visitor.page.getByRole("navigation", { name: "Pages" }).waitFor();
    await visitor.leave();
  } finally {
    await house.close();
  }
});
