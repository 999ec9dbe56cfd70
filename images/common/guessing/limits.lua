-- How many wrong passwords are put up with (ADR 24). Nothing here knows of Dovecot: the time is given, the outcome is told.

-- Seconds after which one failure is forgotten.
local forget = 180
-- From how many failures on a login waits, each how many more double the wait, and from how many on it is refused.
local of_address = { slow = 4, double = 1, refuse = 10 }
local of_account = { slow = 20, double = 5, refuse = 40 }
local longest = 15
-- Of one address so many logins begin each second, others wait up to so many seconds; with so many passwords for one account.
local each_second, queue, at_once = 10, 30, 5
-- Seconds: until an outcome that nobody told is given up, and for which a success and a failure are remembered.
local patience, trust, grudge = 120, 30 * 86400, 86400
-- Passwords that are known again, of each account from each address.
local known = 10
-- What is remembered at most: some 2 MB for each protocol.
local most = 10000

-- By address, by account, and by both with a blank between: the failures, as they were at a time; the last one; the last
-- success; digests of passwords, wrong and right; logins under way.
local entries, count = {}, 0
-- Logins under way by number, which rises, and by connection their numbers.
local attempts, newest, oldest, connections = {}, 0, 1, {}

local limits = {}

local function entry(key)
  local found = entries[key]
  if not found then
    found = { level = 0, at = 0, underway = 0, wrong = {}, right = {} }
    entries[key], count = found, count + 1
  end
  return found
end

local function level(one, now)
  return math.max(0, one.level - (now - one.at) // forget)
end

local function add(one, failures, now)
  local before = level(one, now)
  -- The next is forgotten when it would have been anyway.
  one.at = before > 0 and now - (now - one.at) % forget or now
  one.level = math.max(0, before + failures)
end

local function recent(moment, seconds, now)
  return moment ~= nil and now - moment < seconds
end

-- The place of a digest in a list.
local function place(list, digest)
  for i, one in ipairs(list) do
    if one == digest then
      return i
    end
  end
end

local function remember(list, digest)
  table.insert(list, digest)
  if #list > known then
    table.remove(list, 1)
  end
end

local function drop(list, digest)
  local at = place(list, digest)
  if at then
    table.remove(list, at)
  end
end

local function wait(failures, limit)
  return failures < limit.slow and 0 or math.min(longest, 2 ^ ((failures - limit.slow) // limit.double) // 1)
end

-- One client: an IPv4 address, or the /64 of an IPv6 address.
function limits.client(ip)
  if not ip:find(":") then
    return ip
  end
  local before, after = ip:match("^(.-)::(.*)$")
  local groups = {}
  for group in (before or ip):gmatch("%x+") do
    groups[#groups + 1] = group
  end
  local _, last = (after or ""):gsub("%x+", "")
  for _ = #groups + 1, 8 - last do
    groups[#groups + 1] = "0"
  end
  for group in (after or ""):gmatch("%x+") do
    groups[#groups + 1] = group
  end
  return table.concat(groups, ":", 1, 4) .. "::/64"
end

-- What is known of the address, of both together, and of the account, if there is one.
local function parties(ip, login, account)
  local address = limits.client(ip)
  return entry(address), entry(address .. " " .. (account or "?" .. login)), account and entry(account)
end

-- Forgets what no longer matters; when there is too much, also who is not trusted.
local function tidy(now)
  for _, limit in ipairs({ 0, of_address.slow, math.huge }) do
    for key, one in pairs(entries) do
      if level(one, now) <= limit and one.underway == 0 and not recent(one.success, trust, now)
          and (limit > 0 or not recent(one.failure, grudge, now)) then
        entries[key], count = nil, count - 1
      end
    end
    if count < most // 2 then
      return
    end
  end
  if count >= most then
    entries, attempts, connections, count, oldest = {}, {}, {}, 0, newest + 1
  end
end

-- A login is over: true for success, false for a wrong password, nil for neither.
local function finish(id, success, now)
  local attempt = attempts[id]
  attempts[id] = nil
  local both, others = attempt.both, connections[attempt.connection]
  table.remove(others, place(others, id))
  if #others == 0 then
    connections[attempt.connection] = nil
  end
  for _, one in ipairs(attempt.counted) do
    one.underway = one.underway - 1
  end
  if success == false then
    both.failure = now
    for _, one in ipairs(attempt.counted) do
      add(one, 1, now)
    end
  elseif attempt.counted == attempt.all then
    drop(both.wrong, attempt.digest)
  end
  if success then
    -- What somebody mistyped before is forgiven, unless this is an app that gets in again and again.
    local own = place(both.right, attempt.digest) and 0 or level(both, now)
    for _, one in ipairs(attempt.all) do
      add(one, -own, now)
    end
    drop(both.right, attempt.digest)
    remember(both.right, attempt.digest)
    both.success = now
  end
end

-- What became of a login on a connection. There may have been others before it whose end nobody told.
function limits.outcome(connection, login, success, now)
  while connections[connection] do
    local id = connections[connection][1]
    if attempts[id].login == login then
      return finish(id, success, now)
    end
    finish(id, nil, now)
  end
end

-- What is to become of a login: the seconds it has to wait, or nil and why it is refused.
function limits.judge(ip, login, account, digest, now)
  local one, both, all = parties(ip, login, account)
  if recent(both.success, trust, now) then
    -- Neither a neighbour's mistakes nor a guesser elsewhere keep out who has been here before; nor does anything keep out a
    -- password that was right.
    if place(both.right, digest) then
      return 0
    elseif level(both, now) >= of_address.refuse then
      return nil, "too many wrong passwords from this address for this account"
    end
    return wait(level(both, now), of_address)
  end
  local guesses = all and level(all, now) or 0
  if level(one, now) >= of_address.refuse then
    return nil, "too many wrong passwords from this address"
  elseif guesses >= of_account.refuse and recent(both.failure, grudge, now) then
    return nil, "too many wrong passwords for this account, one of them from this address"
  elseif one.underway >= queue * each_second or both.underway >= at_once and not place(both.wrong, digest) then
    return nil, "too many passwords at once from this address"
  end
  return math.max(wait(level(one, now), of_address), wait(guesses, of_account), one.underway // each_second)
end

-- A login begins that was not refused. One that no account has is wrong at once.
function limits.begin(connection, ip, login, account, digest, now)
  while oldest <= newest and (not attempts[oldest] or now - attempts[oldest].at > patience) do
    if attempts[oldest] then
      finish(oldest, nil, now)
    end
    oldest = oldest + 1
  end
  if count >= most then
    tidy(now)
  end
  local one, both, account_entry = parties(ip, login, account)
  local all = { one, both, account_entry }
  local again = place(both.wrong, digest)
  newest = newest + 1
  attempts[newest] = {
    at = now, connection = connection, login = login, digest = digest, both = both, all = all, counted = again and {} or all
  }
  connections[connection] = connections[connection] or {}
  table.insert(connections[connection], newest)
  if not again then
    remember(both.wrong, digest)
    for _, each in ipairs(all) do
      each.underway = each.underway + 1
    end
  end
  if not account then
    finish(newest, false, now)
  end
end

-- Forgives all failures of an address, or at an account, or everybody's.
function limits.forgive(whom)
  for key, one in pairs(entries) do
    local address, account = key:match("^(.*) (.*)$")
    if whom == "" or key == whom or address == whom or account == whom then
      one.level, one.failure, one.wrong = 0, nil, {}
    end
  end
end

return limits
