-- The proxy's auth process asks here after it has found the account, and before the account's own server is asked. The process
-- runs this once for each protocol: what they all know is in a journal, in which each notes the logins it lets through, and
-- Dovecot's event exporter what the account's server said to them.
local limits = dofile("/usr/lib/mailpod/dovecot/limits.lua")
local journal = "/run/dovecot/guessing/journal"
local refusals = "/data/lib/refusals/guessing/"
-- A wrong password is known again by so many digits of its digest, with a salt that nobody else knows.
local digits = 4
local salt = io.open("/dev/urandom", "rb"):read(16):gsub(".", function(byte)
  return ("%02x"):format(byte:byte())
end)
-- Bytes after which the journal is emptied. Who had not read so far misses the rest.
local enough = 500000

local file
-- by client and account, what has been told within a minute
local told = {}

local function connection(...)
  return table.concat({ ... }, " ")
end

local function read(line)
  local word, rest = line:match("^([a-z]+)\t(.*)\n$")
  if word == "begin" then
    local now, connected, ip, login, account, digest = rest:match("^(%d+)\t(.*)\t(.*)\t(.*)\t(.*)\t(.*)$")
    limits.begin(connected, ip, login, account ~= "" and account or nil, digest, tonumber(now))
  elseif word == "forgive" then
    limits.forgive(rest)
  else
    local is = {}
    for name, value in line:gmatch("field:([a-z_]+)=([^\t\n]*)") do
      is[name] = value
    end
    local success
    if line:find("event:proxy_session_established", 1, true) then
      success = true
    elseif is.error_code == "proxy_dest_auth_failed" then
      success = false
    end
    local now = tonumber(line:match("end_time:(%d+)"))
    limits.outcome(connection(is.remote_ip, is.remote_port, is.local_port), is.user, success, now)
  end
end

-- Reads what is new in the journal.
local function catch_up()
  file = file or io.open(journal, "r")
  if not file then
    return
  end
  local position = file:seek("cur", 0)
  if file:seek("end") < position then
    position = 0
  end
  file:seek("set", position)
  for line in file:lines("L") do
    if line:sub(-1) ~= "\n" then
      break
    end
    position = position + #line
    pcall(read, line)
  end
  if position > enough then
    io.open(journal, "w"):close()
    position = 0
  end
  file:seek("set", position)
end

local function append(path, line)
  local to = io.open(path, "a")
  if to then
    to:write(line, "\n")
    to:close()
  end
end

-- Keeps the last lines of a file that has become long.
local function trim(path)
  local lines = {}
  for line in io.lines(path) do
    lines[#lines + 1] = line
  end
  if #lines > 200 then
    local to = io.open(path, "w")
    to:write(table.concat(lines, "\n", #lines - 99), "\n")
    to:close()
  end
end

-- Says that logins are refused or slowed, once a minute for each address and account.
local function tell(request, account, what, now)
  local address = limits.client(request.remote_ip)
  local key, minute = address .. " " .. (account or "") .. what:match("%a+"), now // 60
  if told.minute ~= minute then
    told = { minute = minute }
  end
  if told[key] then
    return
  end
  told[key] = true
  local detail = ("%s from %s %s"):format(request.protocol, address, what)
  request:log_warning(("guessing at %s: %s"):format(account or "no account", detail))
  if account then
    append(refusals .. account, ("%d guessing %s"):format(now, detail))
    trim(refusals .. account)
  end
end

function auth_password_verify(request, password)
  local now, ip = os.time(), request.remote_ip
  -- The webmail is on loopback. It logs in to IMAP first, and gives the browser's address there.
  if ip == "127.0.0.1" or ip == "::1" or request.passdb.nologin then
    return dovecot.auth.PASSDB_RESULT_OK, { nopassword = "y" }
  end
  catch_up()
  local login = request.user:gsub("[^%w@._-]", "?")
  local account = (request.passdb.host or ""):match("^[^.]+")
  local digest = request:var_expand(("%%{password | sha256(salt='%s') | hexlify}"):format(salt)):sub(1, digits)
  local delay, why = limits.judge(ip, login, account, digest, now)
  if not delay then
    tell(request, account, "refused: " .. why, now)
    return dovecot.auth.PASSDB_RESULT_PASSWORD_MISMATCH
  end
  local connected = connection(request.real_remote_ip, request.real_remote_port, request.real_local_port)
  append(journal, table.concat({ "begin", now, connected, ip, login, account or "", digest }, "\t"))
  if not account then
    return dovecot.auth.PASSDB_RESULT_USER_UNKNOWN
  elseif delay > 0 then
    tell(request, account, ("slowed: waits %d s"):format(delay), now)
  end
  return dovecot.auth.PASSDB_RESULT_OK, { nopassword = "y", delay_until = now + delay // 1 }
end
