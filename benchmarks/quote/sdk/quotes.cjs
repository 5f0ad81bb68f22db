// The official SDKs' quotes, for the benchmark beside it. Reads one JSON request a line, answers one JSON line each:
//   {"load": {name, venue, role → account data in base64, …}}   → {"amount_out": "…"}
//   {"run": name, "seconds": n}                                → {"quotes": n, "cpu_us": n}
// State is decoded once, by the SDKs themselves; only their quote function is timed.
const { createInterface } = require("node:readline");
const raydium = require("@raydium-io/raydium-sdk-v2");
const dammV2 = require("@meteora-ag/cp-amm-sdk");
const dlmm = require("@meteora-ag/dlmm");
const { Connection, PublicKey } = require("@solana/web3.js");
const splToken = require("@solana/spl-token");
const BN = require("bn.js");
const { Decimal } = require("decimal.js");

const DLMM = dlmm.default ?? dlmm;
const NOWHERE = new Connection("http://127.0.0.1:1"); // a Connection is asked for, never used
const SLIPPAGE_BPS = 50;

const data = (account) => Buffer.from(account.data, "base64");
const key = (account) => new PublicKey(account.pubkey);
const amountOf = (account) => new BN(data(account).subarray(64, 72), "le");
const one = (request, role) => request.accounts.find((account) => account.role === role);
const all = (request, role) => request.accounts.filter((account) => account.role === role);
const mint = (account) => ({
  address: account.pubkey,
  programId: account.owner,
  decimals: data(account)[44],
  extensions: {},
});
const decimalPrice = (a, b) => new Decimal(a.toString()).div(b.toString());

let kept;
const raydiumSdk = () => (kept ??= new raydium.Raydium({ connection: NOWHERE, cluster: "mainnet" }));

function ammV4(request) {
  const state = raydium.liquidityStateV4Layout.decode(data(one(request, "pool")));
  const poolInfo = {
    version: 4,
    mintA: mint(one(request, "mint_a")),
    mintB: mint(one(request, "mint_b")),
    baseReserve: amountOf(one(request, "vault_a")).sub(state.baseNeedTakePnl),
    quoteReserve: amountOf(one(request, "vault_b")).sub(state.quoteNeedTakePnl),
  };
  const { liquidity } = raydiumSdk();
  const swap = { poolInfo, mintIn: request.mint_in, mintOut: request.mint_out, slippage: SLIPPAGE_BPS / 10000 };
  return (amountIn) => liquidity.computeAmountOut({ ...swap, amountIn }).amountOut;
}

function cpmm(request) {
  const state = raydium.CpmmPoolInfoLayout.decode(data(one(request, "pool")));
  const [mintA, mintB] = [mint(one(request, "mint_a")), mint(one(request, "mint_b"))];
  const owed = (token) =>
    state[`protocolFeesMint${token}`].add(state[`fundFeesMint${token}`]).add(state[`creatorFeesMint${token}`]);
  const baseReserve = amountOf(one(request, "vault_a")).sub(owed("A"));
  const quoteReserve = amountOf(one(request, "vault_b")).sub(owed("B"));
  const pool = {
    mintA,
    mintB,
    baseReserve,
    quoteReserve,
    poolPrice: decimalPrice(quoteReserve, baseReserve),
    feeOn: state.feeOn,
    configInfo: raydium.CpmmConfigInfoLayout.decode(data(one(request, "config"))),
  };
  if (!state.enableCreatorFee) pool.configInfo.creatorFeeRate = new BN(0);
  if (request.amounts_only) {
    const { tradeFeeRate, creatorFeeRate, protocolFeeRate, fundFeeRate } = pool.configInfo;
    const [reserveIn, reserveOut] =
      request.mint_in === mintA.address ? [baseReserve, quoteReserve] : [quoteReserve, baseReserve];
    const rates = [tradeFeeRate, creatorFeeRate, protocolFeeRate, fundFeeRate];
    const onInput = state.feeOn === 0 || state.feeOn === (request.mint_in === mintA.address ? 1 : 2);
    return (amountIn) =>
      raydium.CurveCalculator.swapBaseInput(amountIn, reserveIn, reserveOut, ...rates, onInput).outputAmount;
  }
  const sdk = raydiumSdk().cpmm;
  const swap = { pool, outputMint: request.mint_out, slippage: SLIPPAGE_BPS / 10000 };
  return (amountIn) => sdk.computeSwapAmount({ ...swap, amountIn }).amountOut;
}

function clmm(request) {
  const accInfo = raydium.PoolInfoLayout.decode(data(one(request, "pool")));
  const [mintA, mintB] = [mint(one(request, "mint_a")), mint(one(request, "mint_b"))];
  const poolInfo = {
    accInfo,
    id: key(one(request, "pool")),
    programId: new PublicKey(one(request, "pool").owner),
    mintA,
    mintB,
    ammConfig: raydium.ClmmConfigLayout.decode(data(one(request, "config"))),
    currentPrice: decimalPrice(accInfo.sqrtPriceX64, new BN(2).pow(new BN(64))).pow(2),
  };
  const tickArrayCache = Object.fromEntries(
    all(request, "tick_array").map((account) => {
      const array = raydium.TickArrayLayout.decode(data(account));
      return [account.pubkey, { ...array, address: key(account) }];
    }),
  );
  const swap = {
    poolInfo,
    tickArrayCache,
    tickarrayBitmapExtension: raydium.TickArrayBitmapExtensionLayout.decode(data(one(request, "bitmap_extension"))),
    baseMint: new PublicKey(request.mint_in),
    epochInfo: { epoch: request.clock.epoch },
    slippage: SLIPPAGE_BPS / 10000,
    blockTimestamp: request.clock.unix_timestamp,
  };
  return (amountIn) => raydium.PoolUtils.computeAmountOut({ ...swap, amountIn }).amountOut.amount;
}

function meteoraDlmm(request) {
  const program = dlmm.createProgram(NOWHERE);
  const decode = (name, account) => dlmm.decodeAccount(program, name, data(account));
  const token = (role) => ({ mint: splMint(one(request, role)) });
  const pool = new DLMM(
    key(one(request, "pool")),
    program,
    decode("lbPair", one(request, "pool")),
    null,
    token("mint_a"),
    token("mint_b"),
    [],
    { epoch: new BN(request.clock.epoch), unixTimestamp: new BN(request.clock.unix_timestamp) },
  );
  const arrays = all(request, "bin_array").map((account) => ({
    publicKey: key(account),
    account: decode("binArray", account),
  }));
  const downwards = request.mint_in === one(request, "mint_a").pubkey;
  const slippage = new BN(SLIPPAGE_BPS);
  Date.now = () => request.clock.unix_timestamp * 1000; // the SDK asks the host for the time
  return (amountIn) => pool.swapQuote(amountIn, downwards, slippage, arrays).outAmount;
}

function meteoraDammV2(request) {
  const sdk = new dammV2.CpAmm(NOWHERE);
  const poolState = sdk._program.coder.accounts.decode("pool", data(one(request, "pool")));
  const { unix_timestamp: currentTime, slot: currentSlot } = request.clock;
  if (request.amounts_only) {
    const currentPoint = new BN(poolState.activationType === 0 ? currentSlot : currentTime);
    const direction = request.mint_in === one(request, "mint_a").pubkey ? 0 : 1;
    const { getFeeMode, getSwapResultFromExactInput } = dammV2;
    return (amountIn) => {
      const feeMode = getFeeMode(poolState.collectFeeMode, direction, false);
      return getSwapResultFromExactInput(poolState, amountIn, feeMode, direction, currentPoint).outputAmount;
    };
  }
  const swap = {
    inputTokenMint: new PublicKey(request.mint_in),
    slippage: SLIPPAGE_BPS,
    poolState,
    currentTime,
    currentSlot,
    tokenADecimal: mint(one(request, "mint_a")).decimals,
    tokenBDecimal: mint(one(request, "mint_b")).decimals,
    hasReferral: false,
  };
  return (inAmount) => sdk.getQuote({ ...swap, inAmount }).swapOutAmount;
}

function splMint(account) {
  const owner = new PublicKey(account.owner);
  return splToken.unpackMint(key(account), { data: data(account), owner, lamports: 1, executable: false }, owner);
}

const QUOTES = {
  raydium_amm_v4: ammV4,
  raydium_cpmm: cpmm,
  raydium_clmm: clmm,
  meteora_dlmm: meteoraDlmm,
  meteora_damm_v2: meteoraDammV2,
};
const loaded = new Map();

function load(request) {
  const quote = QUOTES[request.venue](request);
  const amountIn = new BN(request.amount_in);
  loaded.set(request.name, () => quote(amountIn));
  return { amount_out: quote(amountIn).toString() };
}

function run(name, seconds) {
  const quote = loaded.get(name);
  const before = process.cpuUsage();
  const end = process.hrtime.bigint() + BigInt(Math.round(seconds * 1e9));
  let quotes = 0;
  while (process.hrtime.bigint() < end) {
    for (let i = 0; i < 16; i++) quote();
    quotes += 16;
  }
  const used = process.cpuUsage(before);
  return { quotes, cpu_us: used.user + used.system };
}

console.log = console.error; // stdout is for the answers
createInterface({ input: process.stdin }).on("line", (line) => {
  const request = JSON.parse(line);
  let answer;
  try {
    answer = request.load ? load(request.load) : run(request.run, request.seconds);
  } catch (error) {
    answer = { error: String(error?.stack ?? error) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
});
