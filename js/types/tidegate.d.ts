// Types of everything a module of Tidegate can use. A test compares this file with the engine in both directions.
// With it, `"lib": ["es2023"]` is enough: no DOM, no Node.

// ---------------------------------------------------------------------------------------------------------------------
// ctx and everything reached from it

declare module "tidegate" {
  /** The five functions of a module, by name. */
  export type FunctionName = "fetchUpstream" | "requestModifier" | "responseModifier" | "requestHandler" | "errorHandler";

  /** What a function gets. `Context<"responseModifier">` has the upstream's response. */
  export interface Context<F extends FunctionName = Exclude<FunctionName, "responseModifier">> {
    /** The request's id, unique on the node. */
    readonly id: string;
    /** Keeps a value for the functions that follow; between modules of one route it crosses as JSON. */
    set(key: string, value: unknown): void;
    /** What was kept; undefined if nothing was. */
    get<T = any>(key: string): T;
    /** The same as `request().query`. */
    query(): Query;
    /** Percent-decoded parameters of the route's path. */
    pathParams(): Record<string, string>;
    /** One of them; "" if there is none. */
    pathParam(key: string): string;
    route(): Resource;
    /** null for a route without a service. */
    service(): Resource | null;
    namespace(): Resource;
    /** The client's request, as it will go upstream. */
    request(): GatewayRequest;
    /** The upstream's response; null outside of responseModifier. */
    upstream(): F extends "responseModifier" ? UpstreamResponse : UpstreamResponse | null;
    /** The answer that a requestModifier, requestHandler or errorHandler gives. */
    response(): GatewayResponse;
    toJSON(): object;
  }

  /** A resource as the admin API describes it. */
  export interface Resource {
    readonly name: string;
    readonly tags?: string[];
    readonly [field: string]: unknown;
  }

  /** What a body may be. A stream is sent as it comes. */
  export type Body = string | ArrayBuffer | ArrayBufferView | ReadableStream<Uint8Array | string>;

  export interface GatewayRequest {
    method: string;
    /** Begins with "/"; without the query. */
    path: string;
    host: string;
    /** The client's address without its port. */
    readonly remoteAddress: string;
    /** "HTTP/1.1" and the like. */
    readonly proto: string;
    readonly headers: Fields;
    readonly query: Query;
    /** Bytes, if they are known beforehand. */
    readonly contentLength: number | undefined;
    /** The body as it arrives. It can be had once. */
    readonly body: ReadableStream<Uint8Array>;
    readBody(): Promise<ArrayBuffer>;
    readText(): Promise<string>;
    readJson<T = any>(): Promise<T>;
    writeBody(data: Body): void;
    writeJson(value: unknown): void;
    /** A web Request of what goes upstream. */
    toRequest(): Request;
    toJSON(): object;
  }

  export interface UpstreamResponse {
    statusCode: number;
    readonly statusText: string;
    readonly protocol: string;
    readonly headers: Fields;
    /** Complete once the body was read. */
    readonly trailer: Trailer;
    /** Bytes, if they are known beforehand. */
    readonly contentLength: number | undefined;
    /** The body as it arrives. It can be had once. */
    readonly body: ReadableStream<Uint8Array>;
    readBody(): Promise<ArrayBuffer>;
    readText(): Promise<string>;
    readJson<T = any>(): Promise<T>;
    /** Replaces the body; a stream is sent as it comes, at flat memory. */
    writeBody(data: Body): void;
    writeJson(value: unknown): void;
    status(code: number): this;
    /** 307 */
    redirect(url: string): void;
    /** 301 */
    redirectPermanent(url: string): void;
    /** The same as `ctx.request().query`. */
    query(): Query;
    /** The cookies that it sets. */
    cookie(): SetCookie[];
    toJSON(): object;
  }

  export interface GatewayResponse {
    statusCode: number;
    readonly headers: Fields;
    /** Nothing can be written any more. */
    readonly headersSent: boolean;
    /** A place for values of the module's own. */
    readonly locals: Record<string, any>;
    status(code: number): this;
    json(value: unknown): void;
    send(data?: Body | null): void;
    end(data?: Body | null): void;
    /** 307 unless said otherwise. */
    redirect(url: string, code?: number): void;
    /** 301 */
    redirectPermanent(url: string): void;
    location(url: string): this;
    cookie(name: string, value: string | number | boolean, options?: CookieOptions): this;
    /** The cookies of the request. */
    getCookies(): Cookie[];
    getCookie(name: string): Cookie | null;
    toJSON(): object;
  }

  /** Header fields. Names compare without case. */
  export interface Fields extends Iterable<[string, string]> {
    /** The first value; "" if there is none. */
    get(name: string): string;
    /** All values of a field, or of all fields. */
    values(name?: string): string[];
    has(name: string): boolean;
    set(name: string, value: string | number | boolean): void;
    add(name: string, value: string | number | boolean): void;
    append(name: string, value: string | number | boolean): void;
    del(name: string): void;
    /** Whether there was one. */
    delete(name: string): boolean;
    entries(): [string, string][];
    keys(): string[];
    forEach(each: (value: string, name: string, fields: Fields) => void, self?: unknown): void;
    [Symbol.iterator](): Iterator<[string, string]>;
    toJSON(): Record<string, string[]>;
  }

  /** The query's parameters; what is written goes upstream. */
  export interface Query extends Iterable<[string, string]> {
    /** The first value; "" if there is none. */
    get(name: string): string;
    values(name: string): string[];
    getAll(name: string): string[];
    has(name: string): boolean;
    set(name: string, value: string | number | boolean): void;
    add(name: string, value: string | number | boolean): void;
    append(name: string, value: string | number | boolean): void;
    del(name: string): void;
    delete(name: string): void;
    entries(): [string, string][];
    keys(): string[];
    forEach(each: (value: string, name: string, query: Query) => void, self?: unknown): void;
    [Symbol.iterator](): Iterator<[string, string]>;
    encode(): string;
    toString(): string;
    toJSON(): Record<string, string[]>;
  }

  export interface Trailer {
    get(name: string): string;
    values(name: string): string[];
    has(name: string): boolean;
    toJSON(): Record<string, string[]>;
  }

  export interface Cookie {
    name: string;
    value: string;
  }

  export interface SetCookie extends Cookie {
    domain?: string;
    path?: string;
    expires?: Date;
    maxAge?: number;
    secure?: boolean;
    httpOnly?: boolean;
    sameSite?: string;
  }

  export interface CookieOptions {
    domain?: string;
    path?: string;
    expires?: Date | string | number;
    /** Seconds. */
    maxAge?: number;
    httpOnly?: boolean;
    secure?: boolean;
    sameSite?: "lax" | "strict" | "none" | "Lax" | "Strict" | "None";
  }

  /** What an errorHandler is told. */
  export interface GatewayError extends Error {
    /** A stable word: connect_timeout, thrown, cpu_time, … */
    readonly code?: string;
  }

  type Maybe<T> = T | void | Promise<T | void>;
  /** Chooses the upstream's URL. */
  export type FetchUpstream = (ctx: Context) => string | Promise<string>;
  /** Changes the request, or answers it: with a Response, or through `ctx.response()`. */
  export type RequestModifier = (ctx: Context) => Maybe<Response>;
  /** Changes the upstream's response. */
  export type ResponseModifier = (ctx: Context<"responseModifier">) => Maybe<unknown>;
  /** Answers a request of a route without a service. */
  export type RequestHandler = (ctx: Context) => Maybe<Response>;
  /** Answers when something failed. */
  export type ErrorHandler = (ctx: Context, error: GatewayError) => Maybe<Response>;

  /** A module as its exports. */
  export interface Module {
    fetchUpstream?: FetchUpstream;
    requestModifier?: RequestModifier;
    responseModifier?: ResponseModifier;
    requestHandler?: RequestHandler;
    errorHandler?: ErrorHandler;
    scheduled?: Job | Job[] | ((event: JobEvent) => unknown);
    /** For a `scheduled` that is a function. */
    schedule?: string;
  }

  /** A job: exported as `scheduled`, alone or in a list. */
  export interface Job {
    /** Five fields, "@every 1m", "@hourly", "@daily", … */
    cron: string;
    timezone?: string;
    /** Who runs it: every node, or one of the cluster. */
    per?: "node" | "cluster";
    run(event: JobEvent): unknown;
  }

  export interface JobEvent {
    /** The same for every attempt of one run. */
    readonly id: string;
    readonly cron: string;
    /** When it was due. */
    readonly scheduledAt: Date;
  }

  /** Resolves after seconds, or after a text like "30ms". */
  export function asyncSleep(duration: number | string): Promise<void>;
  export function sleep(duration: number | string): Promise<void>;
  export function fail(message: string): never;
  /** Calls fn(0), fn(1), … until it gives something true, n times at most. */
  export function retry<T>(n: number, fn: (attempt: number) => T): T;
  /** A secret of the namespace, or null. Needs the permission secrets[:NAME]. */
  export function secret(name: string): string | null;
  /** A variable of the gateway's environment. Needs the permission env[:NAME]. */
  export function env(name: string): string | undefined;

  export { default as state } from "tidegate/state";
  export { default as crypto } from "tidegate/crypto";
  export { default as storage } from "tidegate/storage";
  export { default as http } from "tidegate/http";
  export { default as util } from "tidegate/util";
  export { default as x } from "tidegate/x";
  const all: typeof import("tidegate");
  export default all;
}

// ---------------------------------------------------------------------------------------------------------------------
// The gateway's modules; each also under "dgate/…"

declare module "tidegate/state" {
  export interface Document<T = any> {
    readonly id: string;
    readonly collection: string;
    readonly namespace: string;
    readonly data: T;
    readonly createdAt: number | string;
    readonly updatedAt: number | string;
  }
  export interface Collection {
    name: string;
    schema?: object;
    visibility?: "public" | "private";
    [field: string]: unknown;
  }
  export interface Named {
    id: string;
    collection: string;
  }
  export function getCollection(name: string): Promise<Collection | null>;
  export function getDocument<T = any>(id: string, collection: string): Promise<Document<T> | null>;
  export function getDocument<T = any>(named: Named): Promise<Document<T> | null>;
  export function getDocuments<T = any>(asked: { collection: string; limit?: number; offset?: number }): Promise<Document<T>[]>;
  export function addCollection(collection: Collection): Promise<unknown>;
  export function deleteCollection(name: string | { name: string }): Promise<unknown>;
  export function addDocument(document: { id: string; collection: string; data: unknown }): Promise<unknown>;
  export function deleteDocument(id: string, collection: string): Promise<unknown>;
  export function deleteDocument(named: Named): Promise<unknown>;
  const all: Omit<typeof import("tidegate/state"), "default">;
  export default all;
}

declare module "tidegate/storage" {
  export interface TimeToLive {
    /** Seconds; without it a value stays until room is needed. */
    ttl?: number;
  }
  export interface Scope {
    /** "node" (the default): exact over its shards. "cluster": exact everywhere, for the price of a replicated write. */
    scope?: "node" | "cluster";
  }
  /** The value as this shard knows it, or null. */
  export function getCache<T = any>(id: string): T | null;
  /** Seen at once by this shard, by the others of the node within about a millisecond. null deletes. */
  export function setCache(id: string, value: unknown, options?: TimeToLive): void;
  export function deleteCache(id: string): void;
  export function hasCache(id: string): boolean;
  /** Adds a whole number, exactly, and gives the sum. The ttl counts from the first increment. */
  export function increment(id: string, by?: number, options?: TimeToLive & Scope): Promise<number>;
  /** Writes `value` if the present one is `expected` (null: there is none), and gives whether it was. */
  export function compareAndSet(id: string, expected: unknown, value: unknown, options?: TimeToLive & Scope): Promise<boolean>;
  /** The value after all writes that were answered before, or null. */
  export function readCache<T = any>(id: string, options?: Scope): Promise<T | null>;
  const all: Omit<typeof import("tidegate/storage"), "default">;
  export default all;
}

declare module "tidegate/crypto" {
  export type Data = string | ArrayBuffer | ArrayBufferView;
  export type Encoding = "hex" | "base64" | "base64raw" | "base64url" | "base64rawurl";
  export type Algorithm = "md5" | "sha1" | "sha256" | "sha384" | "sha512" | "sha512-224" | "sha512-256" | (string & {});
  export interface Hash {
    update(data: Data): this;
    digest(): ArrayBuffer;
    digest(encoding: Encoding): string;
  }
  type Digest = { (data: Data): ArrayBuffer; (data: Data, encoding: Encoding): string };
  export function createHash(algorithm: Algorithm): Hash;
  export function createHmac(algorithm: Algorithm, key: Data): Hash;
  export function hmac(algorithm: Algorithm, key: Data, data: Data): ArrayBuffer;
  export function hmac(algorithm: Algorithm, key: Data, data: Data, encoding: Encoding): string;
  export const md5: Digest;
  export const sha1: Digest;
  export const sha256: Digest;
  export const sha384: Digest;
  export const sha512: Digest;
  export const sha512_224: Digest;
  export const sha512_256: Digest;
  export function randomBytes(size: number): ArrayBuffer;
  export function randomInt(max: number): number;
  export function randomInt(min: number, max: number): number;
  export function randomUUID(): string;
  export function hexEncode(data: Data): string;
  export function getHashes(): string[];
  /** Whether both are the same, in a time that does not depend on where they differ. */
  export function timingSafeEqual(a: Data, b: Data): boolean;

  export interface JwtHeader {
    alg: string;
    typ?: string;
    kid?: string;
    [name: string]: unknown;
  }
  export interface JwtClaims {
    iss?: string;
    sub?: string;
    aud?: string | string[];
    exp?: number;
    nbf?: number;
    iat?: number;
    [name: string]: any;
  }
  /** A key, or a set of keys among which the token's header chooses. */
  export type JwtKey = CryptoKey | JsonWebKey | { keys: JsonWebKey[] } | Data;
  export interface JwtOptions {
    /** A text, a list, or false: not checked. */
    issuer: string | string[] | false;
    /** A text, a list, or false: not checked. */
    audience: string | string[] | false;
    /** A token without `exp` is refused; true unless said otherwise. */
    requireExp?: boolean;
    toleranceSeconds?: number;
    typ?: string;
    /** For keys that do not say theirs. */
    algorithm?: string;
  }
  /** Verifies a token with its claims. Throws a JwtError whose `code` says what is wrong. */
  export function verifyJwt(token: string, key: JwtKey, options: JwtOptions): Promise<{ header: JwtHeader; payload: JwtClaims }>;
  export function verifyJws(token: string, key: JwtKey, options?: { algorithm?: string }): Promise<{ header: JwtHeader; payload: Uint8Array }>;
  export function signJwt(
    claims: JwtClaims,
    key: JwtKey,
    options?: { algorithm?: string; kid?: string; typ?: string; expiresInSeconds?: number },
  ): Promise<string>;
  const all: Omit<typeof import("tidegate/crypto"), "default">;
  export default all;
}

declare module "tidegate/http" {
  export interface Options extends RequestInit {
    redirects?: "follow" | "error" | "manual";
  }
  /** The global fetch; the response has the milliseconds until its head was there. */
  export function fetch(url: string | URL | Request, options?: Options): Promise<Response & { readonly _debug_time: number }>;
  const all: Omit<typeof import("tidegate/http"), "default">;
  export default all;
}

declare module "tidegate/util" {
  import type { GatewayRequest, UpstreamResponse } from "tidegate";
  /** Gives the body as text to the callback, writes what that gives, and resolves with it. */
  export function readWriteBody<T extends string | ArrayBuffer | ArrayBufferView | void>(
    message: GatewayRequest | UpstreamResponse,
    callback: (text: string) => T | Promise<T>,
  ): Promise<T>;
  const all: Omit<typeof import("tidegate/util"), "default">;
  export default all;
}

declare module "tidegate/x" {
  const all: {};
  export default all;
}

declare module "dgate" { export * from "tidegate"; export { default } from "tidegate"; }
declare module "dgate/state" { export * from "tidegate/state"; export { default } from "tidegate/state"; }
declare module "dgate/storage" { export * from "tidegate/storage"; export { default } from "tidegate/storage"; }
declare module "dgate/crypto" { export * from "tidegate/crypto"; export { default } from "tidegate/crypto"; }
declare module "dgate/http" { export * from "tidegate/http"; export { default } from "tidegate/http"; }
declare module "dgate/util" { export * from "tidegate/util"; export { default } from "tidegate/util"; }
declare module "dgate/x" { export { default } from "tidegate/x"; }

// ---------------------------------------------------------------------------------------------------------------------
// `tidegate module test`

declare module "tidegate/test" {
  import type { Module } from "tidegate";
  type Value = string | number | boolean;
  type Headers_ = Record<string, Value | Value[]> | Iterable<readonly [string, string]>;
  type Bytes = ArrayBuffer | ArrayBufferView;
  /** Strings and bytes as they are, a list of them as the pieces of a stream, everything else as JSON. */
  type BodyOf = string | Bytes | (string | Bytes)[] | object | null;

  export interface TestOptions {
    /** Milliseconds of the fake clock; 5000. */
    timeoutMs?: number;
    /** CPU milliseconds of the test and of each function it runs; those of a call. */
    cpuMs?: number;
  }
  interface Announce {
    (name: string, body: () => unknown, options?: TestOptions | number): void;
    skip(name: string, body?: () => unknown, options?: TestOptions | number): void;
    only(name: string, body: () => unknown, options?: TestOptions | number): void;
    /** A test for each row; %0, %1, … in the name are its values. */
    each<const T extends readonly unknown[]>(
      rows: readonly T[],
    ): (name: string, body: (...row: T extends readonly [...infer R] ? R : never) => unknown, options?: TestOptions) => void;
  }
  export const it: Announce;
  export const test: Announce;
  export const describe: {
    (name: string, body: () => void): void;
    skip(name: string, body: () => void): void;
    only(name: string, body: () => void): void;
  };
  export function beforeEach(hook: () => unknown): void;
  export function afterEach(hook: () => unknown): void;

  export interface Matchers<R> {
    readonly not: Matchers<R>;
    toBe(expected: unknown): R;
    /** Deep; a property that is undefined is as good as none. */
    toEqual(expected: unknown): R;
    toStrictEqual(expected: unknown): R;
    toMatchObject(expected: object): R;
    toMatch(pattern: string | RegExp): R;
    toContain(item: unknown): R;
    toContainEqual(item: unknown): R;
    toHaveLength(length: number): R;
    toHaveProperty(path: string | string[], value?: unknown): R;
    toBeUndefined(): R;
    toBeDefined(): R;
    toBeNull(): R;
    toBeTruthy(): R;
    toBeFalsy(): R;
    toBeNaN(): R;
    toBeInstanceOf(Class: abstract new (...values: any[]) => unknown): R;
    toBeGreaterThan(than: number | bigint): R;
    toBeGreaterThanOrEqual(than: number | bigint): R;
    toBeLessThan(than: number | bigint): R;
    toBeLessThanOrEqual(than: number | bigint): R;
    toBeCloseTo(expected: number, digits?: number): R;
    toThrow(like?: string | RegExp | Error | object | (abstract new (...values: any[]) => Error)): R;
    toHaveBeenCalled(): R;
    toHaveBeenCalledTimes(times: number): R;
    toHaveBeenCalledWith(...values: unknown[]): R;
  }
  export interface Expectation extends Matchers<void> {
    readonly not: Matchers<void>;
    readonly resolves: Matchers<Promise<void>>;
    readonly rejects: Matchers<Promise<void>>;
  }
  export const expect: {
    (received: unknown): Expectation;
    anything(): any;
    any(Class: Function): any;
    stringContaining(part: string): any;
    stringMatching(pattern: string | RegExp): any;
    objectContaining(part: object): any;
    arrayContaining(items: unknown[]): any;
  };

  /** A function that remembers its calls. It begins anew with every test. */
  export interface Mock<F extends (...values: any[]) => any = (...values: any[]) => any> {
    (...values: Parameters<F>): ReturnType<F>;
    readonly calls: Parameters<F>[];
    readonly results: ({ value: ReturnType<F> } | { error: unknown })[];
    returns(value: ReturnType<F>): this;
    resolves(value: Awaited<ReturnType<F>>): this;
    rejects(error: unknown): this;
    does(implementation: F): this;
    once(implementation: F): this;
    reset(): this;
  }
  export function mock<F extends (...values: any[]) => any>(implementation?: F): Mock<F>;
  /** Replaces a method until the test ends. */
  export function spyOn<T extends object, K extends keyof T>(
    object: T,
    name: K,
  ): T[K] extends (...values: any[]) => any ? Mock<T[K]> : never;

  /** Time stands still unless it is moved, or nothing else can go on. Every test begins at 2026-01-01T00:00:00Z. */
  export const fakeClock: {
    /** Moves on by milliseconds; timers that come due run in their order. */
    tick(ms: number): Promise<void>;
    /** Sets the wall clock; timers do not notice. */
    set(time: Date | string | number): void;
    now(): number;
  };

  export interface ResponseParts {
    status?: number;
    headers?: Headers_;
    body?: BodyOf;
    trailers?: Record<string, string>;
  }
  export type AnswerOf = ResponseParts | Response | BuiltResponse | string | Error;
  /** Answers every fetch of the test: a function, or a table from "URL", "METHOD URL" or "URL…*". */
  export function fakeFetch(
    handler:
      | ((request: Request) => AnswerOf | Promise<AnswerOf>)
      | Record<string, AnswerOf | ((request: Request) => AnswerOf | Promise<AnswerOf>)>,
  ): { readonly calls: Request[] };

  /** Collections and documents. What the top level of a file sets is there for each of its tests. */
  export const state: {
    collection(name: string, schema?: object): void;
    put(collection: string, id: string, data: unknown): void;
    delete(collection: string, id: string): void;
    /** The data; undefined if there is none. */
    get<T = any>(collection: string, id: string): T | undefined;
    all<T = any>(collection: string): { id: string; data: T }[];
  };
  export const cache: {
    get<T = any>(key: string): T | undefined;
    set(key: string, value: unknown, ttlMs?: number): void;
    delete(key: string): void;
  };
  export const secrets: {
    set(name: string, value: string): void;
    set(values: Record<string, string>): void;
    delete(name: string): void;
  };
  export const env: {
    set(name: string, value: string): void;
    set(values: Record<string, string>): void;
    delete(name: string): void;
  };
  export interface LogLine {
    level: "debug" | "info" | "warn" | "error";
    module: string;
    text: string;
  }
  /** What was written to the console in this test. */
  export function logs(level?: LogLine["level"]): LogLine[];

  export interface RequestParts {
    method?: string;
    /** May have a query. */
    path?: string;
    headers?: Headers_;
    query?: string | Record<string, Value | Value[]>;
    body?: BodyOf;
    pathParams?: Record<string, string>;
    host?: string;
    remoteAddress?: string;
    protocol?: string;
    scheme?: "http" | "https";
    route?: object;
    service?: object;
    namespace?: object;
  }
  export interface BuiltRequest { readonly method: string; readonly path: string }
  export interface BuiltResponse { readonly status: number }
  export function request(parts?: RequestParts | string): BuiltRequest;
  export function upstreamResponse(parts?: ResponseParts | string): BuiltResponse;

  export interface Received {
    readonly headers: {
      get(name: string): string | null;
      getAll(name: string): string[];
      has(name: string): boolean;
      entries(): [string, string][];
      [Symbol.iterator](): Iterator<[string, string]>;
      toJSON(): Record<string, string>;
    };
    readonly body: Uint8Array;
    bytes(): Uint8Array;
    text(): string;
    json<T = any>(): T;
  }
  export interface SentRequest extends Received {
    readonly method: string;
    readonly path: string;
    readonly query: string;
    readonly host: string;
    /** What fetchUpstream chose; null without one. */
    readonly url: string | null;
  }
  export interface ReceivedResponse extends Received {
    readonly status: number;
    readonly ok: boolean;
  }
  export interface Outcome {
    /** What went upstream; null if nothing did. */
    readonly sent: SentRequest | null;
    /** What the client gets. */
    readonly response: ReceivedResponse;
    /** What a function threw, or the upstream's failure. */
    readonly error: any;
    readonly steps: { readonly function: string; readonly cpuMicroseconds: number; readonly error: any }[];
  }
  /**
   * One request through all functions of a module, or of a list of modules, in the gateway's order. An Error as `upstream`
   * is a failed connection.
   */
  export function run(
    module: Module | object | readonly object[],
    request?: BuiltRequest | RequestParts | string,
    options?: { upstream?: AnswerOf | ((sent: SentRequest) => AnswerOf | Promise<AnswerOf>) },
  ): Promise<Outcome>;
}

// ---------------------------------------------------------------------------------------------------------------------
// Globals beside the language's own

declare const console: Console;
interface Console {
  debug(...values: unknown[]): void;
  log(...values: unknown[]): void;
  info(...values: unknown[]): void;
  warn(...values: unknown[]): void;
  error(...values: unknown[]): void;
  trace(...values: unknown[]): void;
  assert(condition?: unknown, ...values: unknown[]): void;
  dir(value: unknown): void;
  table(data: unknown, columns?: string[]): void;
  group(...values: unknown[]): void;
  groupCollapsed(...values: unknown[]): void;
  groupEnd(): void;
  count(label?: string): void;
  countReset(label?: string): void;
  time(label?: string): void;
  timeLog(label?: string, ...values: unknown[]): void;
  timeEnd(label?: string): void;
}

declare const performance: Performance;
interface Performance {
  now(): number;
  readonly timeOrigin: number;
}

declare function setTimeout<T extends unknown[]>(callback: (...values: T) => void, ms?: number, ...values: T): number;
declare function setInterval<T extends unknown[]>(callback: (...values: T) => void, ms?: number, ...values: T): number;
declare function clearTimeout(id: number | undefined): void;
declare function clearInterval(id: number | undefined): void;
declare function queueMicrotask(callback: () => void): void;
declare function structuredClone<T>(value: T, options?: { transfer?: ArrayBuffer[] }): T;
declare function atob(text: string): string;
declare function btoa(text: string): string;
declare function fetch(input: string | URL | Request, init?: RequestInit): Promise<Response>;

declare class DOMException extends Error {
  constructor(message?: string, name?: string);
  readonly name: string;
  readonly message: string;
  readonly code: number;
  static readonly INDEX_SIZE_ERR: 1;
  readonly INDEX_SIZE_ERR: 1;
  static readonly DOMSTRING_SIZE_ERR: 2;
  readonly DOMSTRING_SIZE_ERR: 2;
  static readonly HIERARCHY_REQUEST_ERR: 3;
  readonly HIERARCHY_REQUEST_ERR: 3;
  static readonly WRONG_DOCUMENT_ERR: 4;
  readonly WRONG_DOCUMENT_ERR: 4;
  static readonly INVALID_CHARACTER_ERR: 5;
  readonly INVALID_CHARACTER_ERR: 5;
  static readonly NO_DATA_ALLOWED_ERR: 6;
  readonly NO_DATA_ALLOWED_ERR: 6;
  static readonly NO_MODIFICATION_ALLOWED_ERR: 7;
  readonly NO_MODIFICATION_ALLOWED_ERR: 7;
  static readonly NOT_FOUND_ERR: 8;
  readonly NOT_FOUND_ERR: 8;
  static readonly NOT_SUPPORTED_ERR: 9;
  readonly NOT_SUPPORTED_ERR: 9;
  static readonly INUSE_ATTRIBUTE_ERR: 10;
  readonly INUSE_ATTRIBUTE_ERR: 10;
  static readonly INVALID_STATE_ERR: 11;
  readonly INVALID_STATE_ERR: 11;
  static readonly SYNTAX_ERR: 12;
  readonly SYNTAX_ERR: 12;
  static readonly INVALID_MODIFICATION_ERR: 13;
  readonly INVALID_MODIFICATION_ERR: 13;
  static readonly NAMESPACE_ERR: 14;
  readonly NAMESPACE_ERR: 14;
  static readonly INVALID_ACCESS_ERR: 15;
  readonly INVALID_ACCESS_ERR: 15;
  static readonly VALIDATION_ERR: 16;
  readonly VALIDATION_ERR: 16;
  static readonly TYPE_MISMATCH_ERR: 17;
  readonly TYPE_MISMATCH_ERR: 17;
  static readonly SECURITY_ERR: 18;
  readonly SECURITY_ERR: 18;
  static readonly NETWORK_ERR: 19;
  readonly NETWORK_ERR: 19;
  static readonly ABORT_ERR: 20;
  readonly ABORT_ERR: 20;
  static readonly URL_MISMATCH_ERR: 21;
  readonly URL_MISMATCH_ERR: 21;
  static readonly QUOTA_EXCEEDED_ERR: 22;
  readonly QUOTA_EXCEEDED_ERR: 22;
  static readonly TIMEOUT_ERR: 23;
  readonly TIMEOUT_ERR: 23;
  static readonly INVALID_NODE_TYPE_ERR: 24;
  readonly INVALID_NODE_TYPE_ERR: 24;
  static readonly DATA_CLONE_ERR: 25;
  readonly DATA_CLONE_ERR: 25;
}

declare class TextEncoder {
  readonly encoding: string;
  encode(text?: string): Uint8Array<ArrayBuffer>;
  encodeInto(text: string, target: Uint8Array): { read: number; written: number };
}
declare class TextDecoder {
  constructor(label?: string, options?: { fatal?: boolean; ignoreBOM?: boolean });
  readonly encoding: string;
  readonly fatal: boolean;
  readonly ignoreBOM: boolean;
  decode(data?: ArrayBuffer | ArrayBufferView, options?: { stream?: boolean }): string;
}

declare class URL {
  constructor(url: string | URL, base?: string | URL);
  static canParse(url: string | URL, base?: string | URL): boolean;
  static parse(url: string | URL, base?: string | URL): URL | null;
  hash: string;
  host: string;
  hostname: string;
  href: string;
  readonly origin: string;
  password: string;
  pathname: string;
  port: string;
  protocol: string;
  search: string;
  readonly searchParams: URLSearchParams;
  username: string;
  toString(): string;
  toJSON(): string;
}
declare class URLSearchParams implements Iterable<[string, string]> {
  constructor(init?: string | Iterable<readonly [string, string]> | Record<string, string>);
  readonly size: number;
  append(name: string, value: string): void;
  delete(name: string, value?: string): void;
  get(name: string): string | null;
  getAll(name: string): string[];
  has(name: string, value?: string): boolean;
  set(name: string, value: string): void;
  sort(): void;
  toString(): string;
  entries(): IterableIterator<[string, string]>;
  keys(): IterableIterator<string>;
  values(): IterableIterator<string>;
  forEach(each: (value: string, name: string, params: URLSearchParams) => void, self?: unknown): void;
  [Symbol.iterator](): IterableIterator<[string, string]>;
}
interface URLPatternInit {
  protocol?: string;
  username?: string;
  password?: string;
  hostname?: string;
  port?: string;
  pathname?: string;
  search?: string;
  hash?: string;
  baseURL?: string;
}
interface URLPatternComponentResult {
  input: string;
  groups: Record<string, string | undefined>;
}
interface URLPatternResult {
  inputs: (string | URLPatternInit)[];
  protocol: URLPatternComponentResult;
  username: URLPatternComponentResult;
  password: URLPatternComponentResult;
  hostname: URLPatternComponentResult;
  port: URLPatternComponentResult;
  pathname: URLPatternComponentResult;
  search: URLPatternComponentResult;
  hash: URLPatternComponentResult;
}
declare class URLPattern {
  constructor(input?: string | URLPatternInit, base?: string | { ignoreCase?: boolean }, options?: { ignoreCase?: boolean });
  readonly protocol: string;
  readonly username: string;
  readonly password: string;
  readonly hostname: string;
  readonly port: string;
  readonly pathname: string;
  readonly search: string;
  readonly hash: string;
  readonly hasRegExpGroups: boolean;
  test(input?: string | URL | URLPatternInit, base?: string | URL): boolean;
  exec(input?: string | URL | URLPatternInit, base?: string | URL): URLPatternResult | null;
}

// Events and aborting

type EventListenerOrObject = ((event: any) => void) | { handleEvent(event: any): void } | null;
declare class Event {
  constructor(type: string, init?: { bubbles?: boolean; cancelable?: boolean; composed?: boolean });
  static readonly NONE: 0;
  static readonly CAPTURING_PHASE: 1;
  static readonly AT_TARGET: 2;
  static readonly BUBBLING_PHASE: 3;
  readonly NONE: 0;
  readonly CAPTURING_PHASE: 1;
  readonly AT_TARGET: 2;
  readonly BUBBLING_PHASE: 3;
  readonly type: string;
  readonly target: EventTarget | null;
  readonly srcElement: EventTarget | null;
  readonly currentTarget: EventTarget | null;
  readonly eventPhase: number;
  readonly bubbles: boolean;
  readonly cancelable: boolean;
  readonly composed: boolean;
  readonly defaultPrevented: boolean;
  readonly timeStamp: number;
  cancelBubble: boolean;
  returnValue: boolean;
  composedPath(): EventTarget[];
  preventDefault(): void;
  stopPropagation(): void;
  stopImmediatePropagation(): void;
}
declare class CustomEvent<T = any> extends Event {
  constructor(type: string, init?: { bubbles?: boolean; cancelable?: boolean; composed?: boolean; detail?: T });
  readonly detail: T;
}
declare class EventTarget {
  constructor();
  addEventListener(type: string, listener: EventListenerOrObject, options?: boolean | { once?: boolean; capture?: boolean; passive?: boolean; signal?: AbortSignal }): void;
  removeEventListener(type: string, listener: EventListenerOrObject, options?: boolean | { capture?: boolean }): void;
  dispatchEvent(event: Event): boolean;
}
declare class AbortController {
  constructor();
  readonly signal: AbortSignal;
  abort(reason?: unknown): void;
}
declare class AbortSignal extends EventTarget {
  private constructor();
  static abort(reason?: unknown): AbortSignal;
  static timeout(ms: number): AbortSignal;
  static any(signals: Iterable<AbortSignal>): AbortSignal;
  readonly aborted: boolean;
  readonly reason: any;
  onabort: ((event: Event) => void) | null;
  throwIfAborted(): void;
}

// Streams

interface QueuingStrategy<T = any> {
  highWaterMark?: number;
  size?(chunk: T): number;
}
declare class CountQueuingStrategy {
  constructor(init: { highWaterMark: number });
  readonly highWaterMark: number;
  readonly size: (chunk?: any) => number;
}
declare class ByteLengthQueuingStrategy {
  constructor(init: { highWaterMark: number });
  readonly highWaterMark: number;
  readonly size: (chunk: ArrayBufferView) => number;
}
type StreamReadResult<T> = { done: false; value: T } | { done: true; value: undefined };
interface UnderlyingSource<R = any> {
  type?: undefined | "bytes";
  autoAllocateChunkSize?: number;
  start?(controller: ReadableStreamDefaultController<R>): unknown;
  pull?(controller: ReadableStreamDefaultController<R>): unknown;
  cancel?(reason?: any): unknown;
}
interface PipeOptions {
  preventClose?: boolean;
  preventAbort?: boolean;
  preventCancel?: boolean;
  signal?: AbortSignal;
}
declare class ReadableStream<R = any> {
  constructor(source?: UnderlyingSource<R>, strategy?: QueuingStrategy<R>);
  static from<T>(items: Iterable<T> | AsyncIterable<T>): ReadableStream<T>;
  readonly locked: boolean;
  cancel(reason?: any): Promise<void>;
  getReader(): ReadableStreamDefaultReader<R>;
  pipeThrough<T>(pair: { readable: ReadableStream<T>; writable: WritableStream<R> }, options?: PipeOptions): ReadableStream<T>;
  pipeTo(target: WritableStream<R>, options?: PipeOptions): Promise<void>;
  tee(): [ReadableStream<R>, ReadableStream<R>];
  values(options?: { preventCancel?: boolean }): AsyncIterableIterator<R>;
  [Symbol.asyncIterator](options?: { preventCancel?: boolean }): AsyncIterableIterator<R>;
}
declare class ReadableStreamDefaultReader<R = any> {
  constructor(stream: ReadableStream<R>);
  readonly closed: Promise<void>;
  read(): Promise<StreamReadResult<R>>;
  cancel(reason?: any): Promise<void>;
  releaseLock(): void;
}
declare class ReadableStreamDefaultController<R = any> {
  protected constructor();
  readonly desiredSize: number | null;
  close(): void;
  enqueue(chunk?: R): void;
  error(reason?: any): void;
}
declare class ReadableByteStreamController extends ReadableStreamDefaultController<Uint8Array> {
  private constructor();
  readonly byobRequest: null;
}
interface UnderlyingSink<W = any> {
  start?(controller: WritableStreamDefaultController): unknown;
  write?(chunk: W, controller: WritableStreamDefaultController): unknown;
  close?(): unknown;
  abort?(reason?: any): unknown;
}
declare class WritableStream<W = any> {
  constructor(sink?: UnderlyingSink<W>, strategy?: QueuingStrategy<W>);
  readonly locked: boolean;
  abort(reason?: any): Promise<void>;
  close(): Promise<void>;
  getWriter(): WritableStreamDefaultWriter<W>;
}
declare class WritableStreamDefaultWriter<W = any> {
  constructor(stream: WritableStream<W>);
  readonly closed: Promise<void>;
  readonly ready: Promise<void>;
  readonly desiredSize: number | null;
  abort(reason?: any): Promise<void>;
  close(): Promise<void>;
  releaseLock(): void;
  write(chunk?: W): Promise<void>;
}
declare class WritableStreamDefaultController {
  private constructor();
  readonly signal: AbortSignal;
  error(reason?: any): void;
}
interface Transformer<I = any, O = any> {
  start?(controller: TransformStreamDefaultController<O>): unknown;
  transform?(chunk: I, controller: TransformStreamDefaultController<O>): unknown;
  flush?(controller: TransformStreamDefaultController<O>): unknown;
  cancel?(reason?: any): unknown;
}
declare class TransformStream<I = any, O = any> {
  constructor(transformer?: Transformer<I, O>, writable?: QueuingStrategy<I>, readable?: QueuingStrategy<O>);
  readonly readable: ReadableStream<O>;
  readonly writable: WritableStream<I>;
}
declare class TransformStreamDefaultController<O = any> {
  private constructor();
  readonly desiredSize: number | null;
  enqueue(chunk?: O): void;
  error(reason?: any): void;
  terminate(): void;
}
declare class TextDecoderStream {
  constructor(label?: string, options?: { fatal?: boolean; ignoreBOM?: boolean });
  readonly encoding: string;
  readonly fatal: boolean;
  readonly ignoreBOM: boolean;
  readonly readable: ReadableStream<string>;
  readonly writable: WritableStream<ArrayBuffer | ArrayBufferView>;
}
declare class TextEncoderStream {
  readonly encoding: string;
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<string>;
}

// Fetch

type HeadersInit = Headers | Iterable<readonly [string, string]> | Record<string, string>;
type BodyInit = string | ArrayBuffer | ArrayBufferView | Blob | FormData | URLSearchParams | ReadableStream<Uint8Array>;
declare class Headers implements Iterable<[string, string]> {
  constructor(init?: HeadersInit);
  append(name: string, value: string): void;
  delete(name: string): void;
  get(name: string): string | null;
  getSetCookie(): string[];
  has(name: string): boolean;
  set(name: string, value: string): void;
  entries(): IterableIterator<[string, string]>;
  keys(): IterableIterator<string>;
  values(): IterableIterator<string>;
  forEach(each: (value: string, name: string, headers: Headers) => void, self?: unknown): void;
  [Symbol.iterator](): IterableIterator<[string, string]>;
  toJSON(): Record<string, string>;
}
declare class Blob {
  constructor(parts?: Iterable<string | ArrayBuffer | ArrayBufferView | Blob>, options?: { type?: string; endings?: "transparent" | "native" });
  readonly size: number;
  readonly type: string;
  arrayBuffer(): Promise<ArrayBuffer>;
  bytes(): Promise<Uint8Array>;
  slice(start?: number, end?: number, type?: string): Blob;
  stream(): ReadableStream<Uint8Array>;
  text(): Promise<string>;
}
declare class File extends Blob {
  constructor(parts: Iterable<string | ArrayBuffer | ArrayBufferView | Blob>, name: string, options?: { type?: string; lastModified?: number });
  readonly name: string;
  readonly lastModified: number;
}
type FormDataEntryValue = string | File;
declare class FormData implements Iterable<[string, FormDataEntryValue]> {
  constructor();
  append(name: string, value: string | Blob, filename?: string): void;
  delete(name: string): void;
  get(name: string): FormDataEntryValue | null;
  getAll(name: string): FormDataEntryValue[];
  has(name: string): boolean;
  set(name: string, value: string | Blob, filename?: string): void;
  entries(): IterableIterator<[string, FormDataEntryValue]>;
  keys(): IterableIterator<string>;
  values(): IterableIterator<FormDataEntryValue>;
  forEach(each: (value: FormDataEntryValue, name: string, data: FormData) => void, self?: unknown): void;
  [Symbol.iterator](): IterableIterator<[string, FormDataEntryValue]>;
}
interface RequestInit {
  method?: string;
  headers?: HeadersInit;
  body?: BodyInit | null;
  redirect?: "follow" | "error" | "manual";
  signal?: AbortSignal | null;
  duplex?: "half";
  cache?: string;
  credentials?: string;
  integrity?: string;
  keepalive?: boolean;
  mode?: string;
  referrer?: string;
  referrerPolicy?: string;
}
declare class Request {
  constructor(input: string | URL | Request, init?: RequestInit);
  readonly method: string;
  readonly url: string;
  readonly headers: Headers;
  readonly body: ReadableStream<Uint8Array> | null;
  readonly bodyUsed: boolean;
  readonly redirect: "follow" | "error" | "manual";
  readonly signal: AbortSignal;
  readonly cache: string;
  readonly credentials: string;
  readonly destination: string;
  readonly duplex: "half";
  readonly integrity: string;
  readonly keepalive: boolean;
  readonly mode: string;
  readonly referrer: string;
  readonly referrerPolicy: string;
  clone(): Request;
  arrayBuffer(): Promise<ArrayBuffer>;
  blob(): Promise<Blob>;
  bytes(): Promise<Uint8Array>;
  formData(): Promise<FormData>;
  json<T = any>(): Promise<T>;
  text(): Promise<string>;
}
interface ResponseInit {
  status?: number;
  statusText?: string;
  headers?: HeadersInit;
}
declare class Response {
  constructor(body?: BodyInit | null, init?: ResponseInit);
  static error(): Response;
  static json(value: unknown, init?: ResponseInit): Response;
  static redirect(url: string | URL, status?: number): Response;
  readonly type: string;
  readonly url: string;
  readonly redirected: boolean;
  readonly status: number;
  readonly ok: boolean;
  readonly statusText: string;
  readonly headers: Headers;
  readonly body: ReadableStream<Uint8Array> | null;
  readonly bodyUsed: boolean;
  clone(): Response;
  arrayBuffer(): Promise<ArrayBuffer>;
  blob(): Promise<Blob>;
  bytes(): Promise<Uint8Array>;
  formData(): Promise<FormData>;
  json<T = any>(): Promise<T>;
  text(): Promise<string>;
}

// Web Cryptography

type BufferSource = ArrayBuffer | ArrayBufferView;
type AlgorithmIdentifier = string | { name: string; [parameter: string]: any };
type KeyFormat = "raw" | "jwk" | "spki" | "pkcs8";
interface JsonWebKey {
  kty?: string;
  alg?: string;
  use?: string;
  kid?: string;
  key_ops?: string[];
  ext?: boolean;
  [parameter: string]: unknown;
}
interface CryptoKeyPair {
  publicKey: CryptoKey;
  privateKey: CryptoKey;
}
declare class CryptoKey {
  private constructor();
  readonly type: "secret" | "public" | "private";
  readonly extractable: boolean;
  readonly algorithm: { readonly name: string; readonly [parameter: string]: any };
  readonly usages: string[];
}
interface SubtleCrypto {
  digest(algorithm: AlgorithmIdentifier, data: BufferSource): Promise<ArrayBuffer>;
  sign(algorithm: AlgorithmIdentifier, key: CryptoKey, data: BufferSource): Promise<ArrayBuffer>;
  verify(algorithm: AlgorithmIdentifier, key: CryptoKey, signature: BufferSource, data: BufferSource): Promise<boolean>;
  encrypt(algorithm: AlgorithmIdentifier, key: CryptoKey, data: BufferSource): Promise<ArrayBuffer>;
  decrypt(algorithm: AlgorithmIdentifier, key: CryptoKey, data: BufferSource): Promise<ArrayBuffer>;
  generateKey(algorithm: AlgorithmIdentifier, extractable: boolean, usages: string[]): Promise<CryptoKey | CryptoKeyPair>;
  importKey(format: "jwk", key: JsonWebKey, algorithm: AlgorithmIdentifier, extractable: boolean, usages: string[]): Promise<CryptoKey>;
  importKey(format: Exclude<KeyFormat, "jwk">, key: BufferSource, algorithm: AlgorithmIdentifier, extractable: boolean, usages: string[]): Promise<CryptoKey>;
  exportKey(format: "jwk", key: CryptoKey): Promise<JsonWebKey>;
  exportKey(format: Exclude<KeyFormat, "jwk">, key: CryptoKey): Promise<ArrayBuffer>;
  deriveBits(algorithm: AlgorithmIdentifier, key: CryptoKey, length: number): Promise<ArrayBuffer>;
  deriveKey(algorithm: AlgorithmIdentifier, key: CryptoKey, derived: AlgorithmIdentifier, extractable: boolean, usages: string[]): Promise<CryptoKey>;
  wrapKey(format: KeyFormat, key: CryptoKey, wrapping: CryptoKey, algorithm: AlgorithmIdentifier): Promise<ArrayBuffer>;
  unwrapKey(
    format: KeyFormat,
    wrapped: BufferSource,
    unwrapping: CryptoKey,
    algorithm: AlgorithmIdentifier,
    unwrapped: AlgorithmIdentifier,
    extractable: boolean,
    usages: string[],
  ): Promise<CryptoKey>;
}
declare const crypto: Crypto;
interface Crypto {
  readonly subtle: SubtleCrypto;
  getRandomValues<T extends ArrayBufferView>(array: T): T;
  randomUUID(): string;
}
