module mirror

go 1.25
