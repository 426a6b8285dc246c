module pilothouse.test/emitter

go 1.26
