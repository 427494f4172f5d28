-- The time, by the clock of whoever has the key.
return now
