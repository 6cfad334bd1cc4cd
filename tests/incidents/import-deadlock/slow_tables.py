"""Tables that take long to compute."""
TABLE = {}
for number in range(10 ** 9):
    TABLE[number % 1000] = TABLE.get(number % 1000, 0) + number * number
