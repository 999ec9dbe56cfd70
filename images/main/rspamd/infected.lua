-- What ClamAV has found a virus in is refused. Not so a report of ours, which holds the message that it is about: refused as well, it
-- would tell nobody. What an account calls a report may tell the organisation's own addresses alone: it may be none.
local util = require 'rspamd_util'

local domain = util.get_hostname():lower():gsub('^[^.]*%.', '')

local function is_inside(task)
  for _, recipient in ipairs(task:get_recipients('smtp') or {}) do
    local host = '.' .. (recipient.domain or ''):lower()
    if host:sub(-#domain - 1) ~= '.' .. domain then
      return false
    end
  end
  return true
end

local function is_report(task)
  local sender = (task:get_from('smtp') or {})[1]
  local kind = (task:get_header('Content-Type') or ''):lower()
  return (sender == nil or (sender.addr or '') == '') and kind:match('^%s*multipart/report%s*;') ~= nil
end

local function is_our_report(task)
  local daemon = tostring(task:get_request_header('MTA-Name'))
  return is_report(task) and (daemon == 'main' or daemon == 'accounts' and is_inside(task))
end

rspamd_config:register_symbol({
  name = 'INFECTED',
  type = 'postfilter',
  callback = function(task)
    local found = task:get_symbol('CLAM_VIRUS')
    if found and not is_our_report(task) then
      local names = table.concat(found[1].options or {}, ', ')
      task:set_pre_result('reject', 'This message holds a virus: ' .. names, 'mailpod')
    end
  end,
})
