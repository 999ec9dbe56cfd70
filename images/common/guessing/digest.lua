-- By what a password is known again: too little to find it out, with a salt that lies in memory alone.
local digits = 5

-- digest(SALT): a function that gives the digest of the password in Dovecot's request. SALT is a file, made when it is needed
-- first: Dovecot loads this as root.
return function(path)
  local template
  return function(request)
    if not template then
      local file = io.open(path, "r")
      if not file then
        local random = io.open("/dev/urandom", "rb"):read(16):gsub(".", function(byte)
          return ("%02x"):format(byte:byte())
        end)
        file = io.open(path, "w+")
        file:write(random)
        file:seek("set", 0)
      end
      template = ("%%{password | sha256(salt='%s') | hexlify}"):format(file:read("l"))
      file:close()
    end
    return request:var_expand(template):sub(1, digits)
  end
end
