-- Who signs what: mail of accounts, and main's own, with the keys of the domain in its header From.
local logger = require 'rspamd_logger'

local settings = rspamd_config:get_all_opt('signing')

local version
local keys = {}

-- The keys of a domain, as the table has them at this moment. Its first line is another whenever the rest is.
local function keys_of(domain)
  local file = assert(io.open(settings.keys))
  local now = file:read('*l')
  if now ~= version then
    keys = {}
    for line in file:lines() do
      local owner, selector, key = line:match('^(%S+) (%S+) (%S+)$')
      keys[owner] = keys[owner] or {}
      -- A blank before it: what begins with a slash would be taken for a file's name.
      table.insert(keys[owner], { domain = owner, selector = selector, rawkey = ' ' .. key })
    end
    version = now
  end
  file:close()
  return keys[domain]
end

-- Whether main answers for it that its author is who the header From says.
local function is_own(task)
  local daemon = task:get_request_header('MTA-Name')
  if tostring(daemon) == 'main' then
    return true
  end
  local user = task:get_user()
  return tostring(daemon) == 'accounts' and user ~= nil and task:get_header('X-Mailpod-Author') == user
end

-- The keys that have to sign a message; none for what is somebody else's.
local function wanted(task)
  local from = (task:get_from('mime') or {})[1]
  return from and is_own(task) and keys_of(from.domain:lower()) or {}
end

rspamd_config:register_symbol({
  name = 'UNSIGNED',
  type = 'postfilter',
  callback = function(task)
    local ok, signers = pcall(wanted, task)
    local signed = task:get_symbol('DKIM_SIGNED')
    local count = signed and #signed[1].options or 0
    if not ok or count < #signers then
      logger.errx(task, 'not signed: %s', ok and 'a key cannot be used' or signers)
      task:set_pre_result('soft reject', 'cannot be signed now', 'mailpod')
    end
  end,
})

-- What the module dkim_signing asks for.
rspamd_plugins.signing = {
  signers = function(task)
    local signers = wanted(task)
    return #signers > 0 and signers
  end,
}
