// The life of the page's connection: attach or create, follow, reconnect, end, start again.

import { send, session } from "../net/commands.js";
import { attach, create, forget, lives, Refused } from "../net/session.js";
import { FrameSocket } from "../net/socket.js";
import { endedText, hideBanner, showBanner } from "./banners.js";
import { byId, setText } from "./element.js";

/** @typedef {import("../model/types").Frame} Frame */

/** @param {number} wait ms */
function lostText(wait) {
  return `Connection lost. Trying again in ${Math.ceil(wait / 1000)} s. What is shown is the last frame that came.`;
}

export class Connection {
  /**
   * @param {string} scenario
   * @param {(frame: Frame) => void} onFrame
   * @param {() => void} onNew before the first frame of a new machine
   */
  constructor(scenario, onFrame, onNew) {
    this.scenario = scenario;
    this.onFrame = onFrame;
    this.onNew = onNew;
    /** @type {FrameSocket | null} */
    this.socket = null;
    /** A new session starts paused; the page lets it run, once. */
    this.fresh = false;
  }

  /** @param {boolean} [anew] leave the session there was */
  async start(anew = false) {
    showBanner("connecting", "Building the machine from its scenario");
    try {
      if (anew) forget(this.scenario);
      const { id, fresh } = await (anew ? create : attach)(this.scenario);
      this.fresh = fresh;
      session.set(id);
      this.socket = new FrameSocket(id, this.listener(id));
    } catch (error) {
      this.refused(error);
    }
  }

  /**
   * @param {string} id
   * @returns {import("../net/socket.js").Listener}
   */
  listener(id) {
    return {
      frame: (frame) => this.frame(frame),
      open: () => {},
      lost: (wait) => showBanner("reconnecting", lostText(wait)),
      ended: (ended) => this.ended(endedText(ended)),
      lives: () => lives(id),
    };
  }

  /** @param {Frame} frame */
  frame(frame) {
    hideBanner();
    if (this.fresh) this.onNew();
    this.onFrame(frame);
    if (!this.fresh) return;
    this.fresh = false;
    if (frame.status?.phase === "paused") send({ do: "run" });
  }

  /** @param {string} text */
  ended(text) {
    forget(this.scenario);
    session.set("");
    showBanner("ended", text, [{ label: "Start again from the scenario", act: () => this.start(true) }]);
  }

  /** @param {unknown} error */
  refused(error) {
    const text = error instanceof Refused ? `No machine: ${error.message}` : "The server does not answer. Is it still running?";
    setText(byId("badge"), "no machine");
    setText(byId("map-empty"), "There is no machine to show");
    showBanner("refused", text, [{ label: "Try again", act: () => this.start() }]);
  }
}
