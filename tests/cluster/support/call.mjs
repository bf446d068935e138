/** Requests that each have a connection of their own, so that each may meet another node. */
import { request } from "node:http";

/** @typedef {{ status: number, headers: import("node:http").IncomingHttpHeaders, text: string, json: () => any }} Answer */

/** Nobody waits longer for an answer, in milliseconds: a killed database lets one wait. */
const PATIENCE = 20_000;

/**
 * @param {string} url @param {{ method?: string, json?: unknown, form?: Record<string, string>, headers?: Record<string, string> }} [options]
 * @returns {Promise<Answer>}
 */
export function call(url, { method, json, form, headers = {} } = {}) {
  const body = json !== undefined ? JSON.stringify(json) : form && new URLSearchParams(form).toString();
  const type = json !== undefined ? "application/json" : "application/x-www-form-urlencoded";
  const about = body === undefined ? {} : { "content-type": type, "content-length": String(Buffer.byteLength(body)) };
  return new Promise((resolve, reject) => {
    const asked = request(url, { agent: false, method: method ?? (body === undefined ? "GET" : "POST"), headers: { ...about, ...headers } });
    const timer = setTimeout(() => asked.destroy(new Error(`${url} did not answer`)), PATIENCE);
    asked.on("close", () => clearTimeout(timer));
    asked.on("error", reject);
    asked.on("response", async (response) => {
      try {
        const text = Buffer.concat(await response.toArray()).toString();
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text, json: () => JSON.parse(text) });
      } catch (error) {
        reject(error);
      }
    });
    asked.end(body);
  });
}
