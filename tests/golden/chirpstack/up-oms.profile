oms
