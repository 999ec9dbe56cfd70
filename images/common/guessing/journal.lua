-- A file to which several processes, or several Lua states of one, append lines, and which each reads to its end before it
-- decides anything.

-- Bytes after which it is emptied. Who has not read so far misses the rest.
local enough = 500000

-- journal(PATH, READ): an object that gives READ each line that is new.
return function(path, read)
  local journal, file = {}, nil

  function journal.catch_up()
    file = file or io.open(path, "r")
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
      -- A line that makes no sense must not keep anybody out.
      pcall(read, line:sub(1, -2))
    end
    if position > enough then
      io.open(path, "w"):close()
      position = 0
    end
    file:seek("set", position)
  end

  function journal.append(...)
    local to = io.open(path, "a")
    if to then
      to:write(table.concat({ ... }, "\t"), "\n")
      to:close()
    end
  end

  return journal
end
