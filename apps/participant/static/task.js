// Simple reaction time with jsPsych. Every trial is on the phone before the next one begins; every few trials a message
// goes to the edge. Leaving in the middle keeps what was done, sends it as a part, and the task starts from the beginning.
"use strict";
(() => {
  const { page } = Outbox;
  const byId = (id) => document.getElementById(id);
  const P = page.parameters, text = page.run;
  let run = null, jsPsych = null, unsent = [], count = 0, input = "", inputs = new Set(), stopped = false;
  let saving = Promise.resolve();

  // ---- what was left behind -------------------------------------------------------------------------------------
  async function begin() {
    try {
      await Outbox.write(["runs"], () => null);
    } catch {
      byId("left").textContent = page.texts.no_storage;
      byId("left").hidden = false;
      return;
    }
    const runs = (await Outbox.all("runs")).filter((one) => one.who === page.who && one.assignment === page.assignment);
    const messages = await Outbox.mine();
    for (const finished of runs.filter((one) => one.state === "finished")) {
      const own = messages.find((one) => one.key === finished.key);
      if (own && own.state !== "problem") return finish(finished);
      // It was refused (the strip above says why, and it stays on the phone), or told as filed already: begin anew.
      await Outbox.write(["runs"], (t) => t.objectStore("runs").delete(finished.session));
    }
    for (const left of runs.filter((one) => one.state === "running")) {
      await sendRest(left);
      byId("left").hidden = false;
    }
    byId("start").disabled = false;
  }

  async function sendRest(left) {
    const trials = (await Outbox.all("trials")).filter((one) => one.session === left.session && !one.queued);
    await queue(left, trials.map((one) => one.data), { outcome: "left", ended_at: Outbox.now() });
    await Outbox.write(["runs"], (t) => t.objectStore("runs").put({ ...left, state: "left" }));
  }

  // ---- messages -------------------------------------------------------------------------------------------------
  // The message and the mark that its trials are in it are one transaction: none is sent twice, none is forgotten.
  async function queue(of, trials, end = {}, interactions = []) {
    const body = {
      session: of.session, assignment: of.assignment, task: of.task, started_at: of.started_at,
      is_simulated: of.is_simulated, device: of.device, interactions, trials, ...end,
    };
    const about = {
      assignment: of.assignment, session: of.session, trials: trials.map((one) => one.trial_index),
      last: Boolean(end.outcome), outcome: end.outcome || "",
    };
    const one = Outbox.message("/api/assessments", body, about);
    await Outbox.write(["messages", "trials", "runs"], (t) => {
      t.objectStore("messages").put(one);
      for (const trial of trials) t.objectStore("trials").put({ session: of.session, trial_index: trial.trial_index, data: trial, queued: true });
      if (end.outcome) t.objectStore("runs").put({ ...of, state: end.outcome === "complete" ? "finished" : "left", key: one.key });
    });
    Outbox.flush();
    return one.key;
  }

  function keep(data) {
    const trial = { ...data, input };
    const [session, tests] = [run.session, data.phase === "test"];
    if (tests) count += 1;
    if (tests && data.rt !== null) inputs.add(page.simulate ? "none" : input);
    saving = saving.then(async () => {
      await Outbox.write(["trials"], (t) => t.objectStore("trials").put({ session, trial_index: trial.trial_index, data: trial, queued: false }));
      unsent.push(trial);
      if (tests && count % page.per_message === 0 && count < P.trials) await queue(run, unsent.splice(0));
    });
  }

  // ---- the task -------------------------------------------------------------------------------------------------
  const circle = (kind) => (choice) => `<button type="button" class="target ${kind}">${choice}</button>`;
  const focus = () => document.querySelector("#jspsych button.target")?.focus({ preventScroll: true });
  let note = "";

  function wait(phase) {
    return {
      type: jsPsychHtmlButtonResponse, stimulus: () => `<p class="note">${note}</p>`, choices: [text.wait], button_html: circle(""),
      response_ends_trial: false, on_load: focus, data: { phase: "wait", of: phase },
      trial_duration: () => P.isi_min_ms + Math.floor(Math.random() * (P.isi_max_ms - P.isi_min_ms + 1)),
      on_finish: (data) => { note = data.rt === null ? "" : text.early; },
    };
  }
  function go(phase, number, total) {
    return {
      type: jsPsychHtmlButtonResponse, stimulus: () => `<p class="note">${note}</p>`, choices: [text.go], button_html: circle("go"),
      trial_duration: P.timeout_ms, on_load: focus, data: { phase, number },
      on_finish: (data) => {
        note = data.rt === null ? text.slow : "";
        byId("count").textContent = `${phase === "practice" ? `${text.practice} · ` : ""}${text.progress.replace("{done}", number).replace("{total}", total)}`;
      },
    };
  }
  const ready = {
    type: jsPsychHtmlButtonResponse, choices: [text.ready_button], data: { phase: "info" }, on_load: () => document.querySelector("#jspsych button")?.focus(),
    stimulus: `<div class="readme"><h2>${text.ready_title}</h2><p>${text.ready_text}</p></div>`,
    button_html: (choice) => `<button type="button" class="button primary">${choice}</button>`,
    on_finish: () => { note = ""; byId("count").textContent = ""; },
  };
  function timeline() {
    const block = (phase, total) => Array.from({ length: total }, (_, n) => [wait(phase), go(phase, n + 1, total)]).flat();
    return [...(P.practice_trials ? [...block("practice", P.practice_trials), ready] : []), ...block("test", P.trials)];
  }

  function device() {
    const family = /Firefox\//.test(navigator.userAgent) ? "firefox" : /Edg\//.test(navigator.userAgent) ? "edge"
      : /Chrome\//.test(navigator.userAgent) ? "chrome" : /Safari\//.test(navigator.userAgent) ? "safari" : "other";
    return {
      browser: family, is_mobile: /Mobi|Android|iPhone|iPad/.test(navigator.userAgent), has_touch: navigator.maxTouchPoints > 0,
      width: innerWidth, height: innerHeight, pixel_ratio: devicePixelRatio, language: page.language, jspsych: jsPsych.version(),
    };
  }
  addEventListener("pointerdown", (event) => { input = event.pointerType || "mouse"; }, true);
  addEventListener("keydown", () => { input = "keyboard"; }, true);

  byId("start").addEventListener("click", async () => {
    byId("start").disabled = true;
    byId("intro").hidden = true;
    byId("stage").hidden = false;
    jsPsych = initJsPsych({ display_element: "jspsych", on_data_update: keep, on_finish: ended });
    run = {
      session: Outbox.newId(), who: page.who, assignment: page.assignment, task: page.task, started_at: Outbox.now(),
      is_simulated: Boolean(page.simulate), device: device(), state: "running",
    };
    await Outbox.write(["runs"], (t) => t.objectStore("runs").put(run));
    [unsent, count, inputs, stopped, note] = [[], 0, new Set(), false, ""];
    if (page.simulate) jsPsych.simulate(timeline(), page.simulate);
    else jsPsych.run(timeline());
  });
  byId("stop").addEventListener("click", () => {
    stopped = true;
    jsPsych.abortExperiment();
  });

  async function ended() {
    byId("stage").hidden = true;
    await saving;
    const interactions = jsPsych.data.getInteractionData().values();
    // Reaction times of touch and keyboard are never pooled, so a session says which it was.
    run.device = { ...run.device, input: inputs.size > 1 ? "mixed" : [...inputs][0] || "none" };
    if (stopped) {
      await queue(run, unsent.splice(0), { outcome: "left", ended_at: Outbox.now() }, interactions);
      byId("left").textContent = text.stopped;
      byId("left").hidden = byId("intro").hidden = byId("start").disabled = false;
      return;
    }
    const end = { outcome: "complete", ended_at: Outbox.now(), trials_expected: jsPsych.data.get().count() };
    const key = await queue(run, unsent.splice(0), end, interactions);
    finish({ ...run, state: "finished", key });
  }
  // ---- after it -------------------------------------------------------------------------------------------------
  function finish(of) {
    byId("intro").hidden = true;
    byId("finish").hidden = byId("after").hidden = false;
    byId("finish").querySelector("h2").focus();
    delivery("saved", page.texts.saved);
    let followed = false;
    const look = ({ detail }) => {
      const own = detail.messages.find((one) => one.key === of.key);
      if (own?.state === "sent" && !followed) {
        followed = true;
        delivery("sent", page.texts.sent.replace("{receipt}", own.receipt));
        Outbox.follow(own.receipt, (found) => settled(of, found));
      } else if (own?.state === "problem") delivery("overdue", page.texts.problem.replace("{sentence}", own.sentence));
    };
    document.addEventListener("outbox", look);
    Outbox.tell("look");
  }
  async function settled(of, found) {
    if (found.state === "processed") delivery("done", page.texts.filed.replace("{receipt}", found.receipt));
    else if (found.state === "refused") delivery("overdue", page.texts.problem.replace("{sentence}", found.sentence));
    else return;
    await Outbox.write(["runs"], (t) => t.objectStore("runs").delete(of.session));
  }
  function delivery(state, words) {
    const line = byId("delivery");
    line.className = `state ${state}`;
    line.replaceChildren(byId(`icon-${state}`).content.cloneNode(true), words);
  }

  begin();
})();
