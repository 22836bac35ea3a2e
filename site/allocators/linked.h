LAYOUT(free_list, &free_list)
