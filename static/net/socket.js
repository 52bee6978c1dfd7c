// Frames in, acknowledgements out, and a new connection when the old one breaks.

import { decode } from "../model/frame.js";

/** @typedef {import("../model/types").Frame} Frame */
/** @typedef {import("../model/types").Ended} Ended */
/**
 * @typedef {object} Listener
 * @property {(frame: Frame) => void} frame in order, each once
 * @property {() => void} open
 * @property {(wait: number) => void} lost the connection broke; tried again after `wait` ms
 * @property {(ended: Ended) => void} ended the machine is gone for good
 * @property {() => Promise<boolean>} lives asks whether the session is still there
 */

const FIRST_WAIT = 500;
const LONGEST_WAIT = 15_000;
const CLOSED_FOR_GOOD = 4404;

export class FrameSocket {
  /**
   * @param {string} session
   * @param {Listener} listener
   */
  constructor(session, listener) {
    this.session = session;
    this.listener = listener;
    this.wait = FIRST_WAIT;
    this.over = false;
    /** Frames are decoded one after another: inflating is asynchronous, their order is not to be lost. */
    this.decoding = Promise.resolve();
    this.keyframe = false;
    /** seq of the last frame that came over this connection and was not acknowledged; 0 if none. */
    this.owed = 0;
    this.connect();
  }

  connect() {
    const url = new URL(`/ws/sessions/${this.session}`, location.href);
    url.protocol = url.protocol.replace("http", "ws");
    const socket = new WebSocket(url);
    this.socket = socket;
    this.keyframe = false;
    this.owed = 0;
    socket.binaryType = "arraybuffer";
    socket.onmessage = ({ data }) => {
      if (typeof data === "string") this.told(JSON.parse(data));
      else this.decoding = this.decoding.then(() => this.take(socket, data));
    };
    socket.onopen = () => this.listener.open();
    socket.onclose = ({ code }) => this.closed(code);
  }

  /**
   * @param {WebSocket} socket
   * @param {ArrayBuffer} data
   */
  async take(socket, data) {
    if (this.over || socket !== this.socket) return;
    try {
      const frame = await decode(data);
      // Inflating takes a moment: the machine may have ended meanwhile, and its last frame must not hide that.
      if (this.over || socket !== this.socket) return;
      this.owed = frame.seq;
      this.keyframe ||= frame.keyframe;
      if (this.keyframe) this.listener.frame(frame);
      else this.acknowledge();
      this.wait = FIRST_WAIT;
    } catch (error) {
      this.end({ reason: `A frame could not be read: ${error instanceof Error ? error.message : error}`, signal: null, exit: null });
    }
  }

  /** What came has been painted. Only what this connection brought may be acknowledged on it. */
  acknowledge() {
    if (this.owed === 0 || this.socket?.readyState !== WebSocket.OPEN) return;
    this.socket.send(JSON.stringify({ ack: this.owed }));
    this.owed = 0;
  }

  /** @param {{type: string} & Ended} message */
  told(message) {
    if (message.type === "ended") this.end(message);
  }

  /** @param {number} code */
  async closed(code) {
    if (this.over) return;
    const gone = code === CLOSED_FOR_GOOD || (await this.isGone());
    if (this.over) return;
    if (gone) return this.end({ reason: "The server no longer has this session.", signal: null, exit: null });
    const wait = this.wait * (0.7 + Math.random() * 0.6);
    this.wait = Math.min(LONGEST_WAIT, this.wait * 2);
    this.listener.lost(wait);
    setTimeout(() => this.over || this.connect(), wait);
  }

  /** True only when the server answered and denied it; a silent server may come back with the session. */
  async isGone() {
    try {
      return !(await this.listener.lives());
    } catch {
      return false;
    }
  }

  /** @param {Ended} ended */
  end(ended) {
    if (this.over) return;
    this.close();
    this.listener.ended(ended);
  }

  close() {
    this.over = true;
    this.socket?.close();
  }
}
